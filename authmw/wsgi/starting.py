"""start_response as the app gets it: the server is told of the answer after the app's turn.

Error middleware of several services goes on filling the list that it gave to start_response, and
most servers read that list at once. So the server's start_response is called when the app has
returned, when a step of its body has, or when it writes. PEP 3333 has servers send nothing
earlier ("The start_response() Callable").

The server gets the app's own list. Where something is added to it, as the challenge is to a 401,
it gets a longer copy: an app may use one list for many answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from authmw.rejection import REFUSED

if TYPE_CHECKING:
    from authmw.errors import Refused

Header = tuple[str, str]
# Returns the headers to add to an app's refusal (40x) with these.
Explain = Callable[[str, Sequence[Header], dict[str, Any]], Sequence[Header]]
Write = Callable[[bytes], Any]


class Start:
    """The start_response of one request.

    Args:
        start_response: the server's.
        environ: of the request.
        explain: see `Explain`.

    Attributes:
        refused: what `require` or `check` raised, where the app's framework made an answer of its
            own of it that is not ours (a 500); it is answered with the refusal instead.
        is_immediate: whether the server is told at once: of a second answer, or because nobody
            calls `pass_on` later.
        may_replace_body: whether the body is still in our hands.
    """

    __slots__ = (
        "_environ",
        "_explain",
        "_server",
        "_waiting",
        "_write_of_server",
        "is_immediate",
        "may_replace_body",
        "refused",
    )

    def __init__(
        self, start_response: Callable[..., Any], environ: dict[str, Any], explain: Explain
    ) -> None:
        self._server = start_response
        self._environ = environ
        self._explain = explain
        self._waiting: tuple[Any, ...] | None = None
        self._write_of_server: Write | None = None
        self.is_immediate = False
        self.refused: Refused | None = None
        self.may_replace_body = True

    def __call__(self, status: str, headers: list[Header], exc_info: Any = None) -> Write:
        """Take status and headers from the app (PEP 3333)."""
        self.refused = None
        if self.may_replace_body and REFUSED in self._environ and status.startswith(("40", "500")):
            self.refused = find_unanswered(self._environ[REFUSED], status)
            if self.refused is not None:
                status = self.refused.refusal.status_line
                headers = self.refused.refusal.all_headers
        said = (status, headers) if exc_info is None else (status, headers, exc_info)
        if self._waiting is None and not self.is_immediate:
            self._waiting = said
        else:
            # A second call may replace the first, or is one too many: the server knows.
            self.pass_on()
            self._waiting = said
            self.pass_on()
        return self._write if self.refused is None else _write_nothing

    def start_over(self, status: str, headers: list[Header], exc_info: Any) -> Write:
        """Take another answer after the app has failed.

        A server that was told nothing needs no `exc_info`; WebOb in front of us would raise it.
        """
        if self._waiting is None and self.is_immediate:
            return self(status, headers, exc_info)
        self._waiting = None
        return self(status, headers)

    def pass_on(self) -> None:
        """Tell the server what the app has said since the last time, if anything."""
        waiting = self._waiting
        if waiting is None:
            return
        # Kept no longer: exc_info leads to frames that lead here.
        self._waiting = None
        # Of another answer the server is told at once.
        self.is_immediate = True
        if waiting[0][:2] == "40":
            status, headers, *exc_info = waiting
            added = self._explain(status, headers, self._environ)
            if added:
                waiting = (status, [*headers, *added], *exc_info)
        self._write_of_server = self._server(*waiting)

    def _write(self, content: bytes) -> Any:
        self.pass_on()
        write = self._write_of_server
        if write is None:
            raise AssertionError("the server's start_response returned no write() (PEP 3333)")
        return write(content)


def _write_nothing(_content: bytes) -> None:
    """Take what an app writes of an answer that was replaced."""


def find_unanswered(refused: Refused, status: str) -> Refused | None:
    """Return a refusal that the app's framework did not answer as such; None: it did."""
    # Imported here: only a refusal takes it.
    from authmw.decorators.frameworks import is_left_to_us

    return refused if is_left_to_us(refused, status) else None

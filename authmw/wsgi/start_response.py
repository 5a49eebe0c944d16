"""The `start_response` that the app gets: it forwards the app's call once the app has returned.

Error middleware of several services keeps filling the header list that it passed to
start_response, and most servers read that list at once. So the server's start_response is called
once the app has returned, once a step of its body has run, or when the app writes. PEP 3333
forbids servers to send headers earlier ("The start_response() Callable").

The server gets the app's own list. To add headers, as the challenge of a 401, it gets a longer
copy: an app may use one list for many responses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from authmw.errors import Refused
from authmw.rejection import PLACEHOLDER_CHALLENGE, REFUSED
from authmw.wsgi.requirement_answers import is_unanswered

Header = tuple[str, str]
# Called with status, headers and environ of a 401 or of the answer to a refusal of ours; returns
# the headers to add.
AddHeaders = Callable[[str, Sequence[Header], dict[str, Any]], Sequence[Header]]
Write = Callable[[bytes], Any]
_PLACEHOLDER = ("WWW-Authenticate", PLACEHOLDER_CHALLENGE)


class StartResponse:
    """The start_response of one request, and the write() that it returns (PEP 3333).

    The app gets the method `start_response`; the object itself is the write(). So a request makes
    no object for a write() that hardly any app calls.

    Args:
        start_response: the server's.
        environ: of the request.
        add_headers: see `AddHeaders`.

    Attributes:
        refused: raised by `require` or `check`, if the app's framework answered it as a fault
            (500) or without its body; the refusal replaces that answer. Else None.
        is_immediate: whether calls are forwarded at once: after the first answer, or if `forward`
            is not called later.
        may_replace_body: whether the middleware still holds the body.
    """

    __slots__ = (
        "_add_headers",
        "_environ",
        "_pending",
        "_server",
        "_server_write",
        "is_immediate",
        "may_replace_body",
        "refused",
    )

    def __init__(
        self, start_response: Callable[..., Any], environ: dict[str, Any], add_headers: AddHeaders
    ) -> None:
        self._server = start_response
        self._environ = environ
        self._add_headers = add_headers
        self._pending: tuple[Any, ...] | None = None
        self.is_immediate = False
        self.refused: Refused | None = None
        self.may_replace_body = True

    def start_response(self, status: str, headers: list[Header], exc_info: Any = None) -> Write:
        """Take status and headers from the app (PEP 3333)."""
        if status < "4" and exc_info is None and self._pending is None and not self.is_immediate:
            # The usual case: a first answer without an error.
            self._pending = (status, headers)
            return self
        self.refused = None
        if self.may_replace_body and REFUSED in self._environ and status.startswith(("40", "500")):
            refused: Refused = self._environ[REFUSED]
            if is_unanswered(refused, status):
                self.refused = refused
                status = refused.refusal.status_line
                headers = refused.refusal.all_headers
        call = (status, headers) if exc_info is None else (status, headers, exc_info)
        if self._pending is None and not self.is_immediate:
            self._pending = call
        else:
            # A second call may replace the first or be an error: the server decides.
            self.forward()
            self._pending = call
            self.forward()
        return self if self.refused is None else _write_nothing

    def restart(self, status: str, headers: list[Header], exc_info: Any) -> Write:
        """Take another answer after the app has failed.

        `exc_info` is left out if nothing was forwarded yet: WebOb in front of us would raise it.
        """
        if self._pending is None and self.is_immediate:
            return self.start_response(status, headers, exc_info)
        self._pending = None
        self.refused = None
        return self.start_response(status, headers)

    def forward(self) -> None:
        """Forward the pending call to the server, if there is one."""
        pending = self._pending
        if pending is None:
            return
        # Dropped: exc_info refers to frames that refer to this object.
        self._pending = None
        # A later call is forwarded at once.
        self.is_immediate = True
        if pending[0] >= "4" and (pending[0][:3] == "401" or REFUSED in self._environ):
            status, headers, *exc_info = pending
            added = self._add_headers(status, headers, self._environ)
            if added:
                kept = [header for header in headers if header != _PLACEHOLDER]
                pending = (status, [*kept, *added], *exc_info)
        self._server_write: Write | None = self._server(*pending)

    def __call__(self, content: bytes) -> Any:
        """Write a part of the body, headers first."""
        self.forward()
        write = self._server_write
        if write is None:
            raise AssertionError("the server's start_response returned no write() (PEP 3333)")
        return write(content)


def _write_nothing(_content: bytes) -> None:
    """Drop what an app writes of a replaced answer."""

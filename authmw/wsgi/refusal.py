"""The 401 and 403 of `require` and `check`, and the exception that carries them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from authmw.errors import AuthmwError
from authmw.rejection import REQUIRES_AUTHENTICATION, render_error

_TITLES = {401: "Unauthorized", 403: "Forbidden"}
_WORDS = {
    "roles": "one of the roles {}",
    "scope": "a token scoped to a {}",
    "admin_project": "the admin project",
    "methods": "authentication by {}",
}
_SEPARATORS = {"scope": " or a ", "methods": " and "}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 401 or 403, not yet in the form of any framework.

    Attributes:
        status: 401 or 403.
        body: a JSON document.
        headers: in addition to Content-Type and Content-Length.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def status_line(self) -> str:
        """Status code and reason phrase (PEP 3333)."""
        return f"{self.status} {_TITLES[self.status]}"

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """Every header of the answer."""
        length = str(len(self.body))
        return [("Content-Type", "application/json"), ("Content-Length", length), *self.headers]

    def body_for(self, environ: Mapping[str, Any]) -> list[bytes]:
        """Return the body of the answer to one request: a HEAD has none."""
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


class Refused(AuthmwError):
    """Raised by `require` and `check` to refuse a request, so that no caller can overlook it.

    The raised exception is also an exception of each web framework that is loaded; see
    `authmw.decorators.frameworks`. If no framework catches it, `AuthMiddleware` answers.
    """

    def __init__(self, refusal: Refusal) -> None:
        # Not super(): the next class may be a framework's exception.
        Exception.__init__(self, f"authmw refused this request: {refusal.status_line}")
        self.refusal = refusal

    def answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any], exc_info: Any
    ) -> Iterable[bytes]:
        """Answer the request in place of the app that raised this (PEP 3333).

        Args:
            environ, start_response: of the request.
            exc_info: of the exception. If the server has already sent the app's headers, it
                raises the exception instead.
        """
        start_response(self.refusal.status_line, self.refusal.all_headers, exc_info)
        return self.refusal.body_for(environ)


def is_unanswered(refused: Refused, status: str) -> bool:
    """Tell whether the app's framework failed to answer a refusal, given the status it sent.

    Django has no exception that is a 401 or that takes a body: it answers PermissionDenied with
    its own 403. A framework unknown to us answers every exception with 500.
    """
    if status.startswith("500"):
        return True
    traceback = refused.__traceback__
    # The outermost frame of a traceback caught the exception. In the app's own code, the app
    # chose the answer.
    caught_in = traceback.tb_frame.f_globals.get("__name__") if traceback is not None else None
    return status.startswith("403") and caught_in in (
        "django.core.handlers.exception",
        "rest_framework.views",
    )


def refuse_unauthenticated(*, is_challenged: bool) -> Refusal:
    """Return the 401 for a request without a valid token (Identity API v3, "Errors").

    Args:
        is_challenged: whether a middleware in front adds WWW-Authenticate to every 401.
    """
    # RFC 9110 §15.5.2 requires a challenge in every 401.
    headers = () if is_challenged else (("WWW-Authenticate", "Keystone"),)
    return Refusal(401, render_error(401, _TITLES[401], REQUIRES_AUTHENTICATION), headers)


def refuse_missing(missing: Mapping[str, Sequence[str] | Literal[True]]) -> Refusal:
    """Return the 403 that lists what a valid token lacks.

    The body is an Identity API error with an added member, `missing`; see
    `authmw.checks.requirements.Requirement.find_missing`.
    """
    wanted = " and ".join(
        _WORDS[name].format("" if value is True else _SEPARATORS.get(name, ", ").join(value))
        for name, value in missing.items()
    )
    message = f"This takes {wanted}."
    return Refusal(403, render_error(403, _TITLES[403], message, missing=dict(missing)))

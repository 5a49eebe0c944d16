"""Lets an app's own error handlers answer what the middleware rejects.

The middleware runs the app for a rejected request too, without an identity. Code that the
framework calls before all views then raises the rejection (`raise_rejection`), as an exception of
the framework's own, so that the app's error handlers see it. If the app answers without that, the
middleware rejects the request by itself: nothing that runs earlier lets a request pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from authmw.decorators.frameworks import make_exception
from authmw.decorators.protect import Protected, WsgiApp
from authmw.errors import Refused
from authmw.middleware import AuthMiddleware
from authmw.rejection import DESCRIBE_RESOURCE, REFUSED, REFUSED_FOR, Rejection
from authmw.token import headers
from authmw.wsgi.requirement_answers import refuse_rejected

if TYPE_CHECKING:
    from authmw.build import FilterParts

# Environ key of the exception that the app has to raise.
_REJECTED: Final = "authmw.rejected"


class HandsOver(Protected):
    """`authmw.protect` whose rejections the app's error handlers answer."""

    def _make_middleware(self, parts: FilterParts) -> AuthMiddleware:
        return _HandingOver.from_parts(functools.partial(_run_app, self._app), parts)


def raise_rejection(environ: dict[str, Any], *, is_optional: bool = False) -> None:
    """Raise the rejection of a request, if it was rejected.

    Args:
        environ: of the request.
        is_optional: whether the request may pass if it brings no token at all.

    Raises:
        Refused: with the status of the rejection, 401 or 503.
    """
    rejected: _Rejected | None = environ.pop(_REJECTED, None)
    if rejected is None or (is_optional and rejected.brings_no_token):
        return
    environ[REFUSED] = rejected.exception
    raise rejected.exception


class _Rejected:
    """One rejection, not raised yet."""

    def __init__(self, exception: Refused, *, brings_no_token: bool) -> None:
        self.exception = exception
        self.brings_no_token = brings_no_token


class _HandingOver(AuthMiddleware):
    """The middleware that runs the app for rejected requests."""

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any], rejection: Rejection
    ) -> Iterable[bytes] | None:
        if rejection is DESCRIBE_RESOURCE:
            return super()._answer(environ, start_response, rejection)
        refusal = refuse_rejected(rejection)
        brings_no_token = rejection.status == 401 and rejection.reason is None
        # What a service token said is gone too: the request is nobody's.
        headers.strip(environ)
        environ[headers.USER_STATUS_KEY] = headers.INVALID
        if rejection.reason is not None:
            environ[REFUSED_FOR] = rejection.reason
        environ[_REJECTED] = _Rejected(make_exception(refusal), brings_no_token=brings_no_token)
        return None


def _run_app(
    app: WsgiApp, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    if _REJECTED not in environ:
        return app(environ, start_response)

    def start(*answer: Any) -> Any:
        # Something has answered before the rejection was raised.
        raise_rejection(environ)
        return start_response(*answer)

    return app(environ, start)

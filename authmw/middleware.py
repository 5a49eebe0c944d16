"""The WSGI middleware: it lets a request pass to the app, or answers it.

Paste-deploy finds `filter_factory` and `app_factory` here, and a service that embeds the
middleware calls `AuthMiddleware(app, conf)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from authmw import request
from authmw.rejection import REFUSED, respond
from authmw.streaming import keep_current
from authmw.wiring import Door, open_door

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class AuthMiddleware:
    """Protects one WSGI app.

    Args:
        app: the WSGI app behind the middleware.
        conf: options that override the configuration file, by name, as paste-deploy hands
            them over; `oslo_config_config`, `oslo_config_project` and `oslo_config_file`
            say which configuration that is.

    Raises:
        ConfigurationError: an option is wrong.
    """

    def __init__(self, app: WsgiApp, conf: Mapping[str, Any] | Door) -> None:
        self._app = app
        self._door = conf if isinstance(conf, Door) else open_door(conf)
        self._authenticate = self._door.authenticator.authenticate

    def close(self) -> None:
        """End what works in the background, once no app behind the filter serves any more.

        A server need not: it ends with the process. Tests that make many filters do.
        """
        self._door.close()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Handle one request (PEP 3333)."""
        rejection = self._authenticate(environ)
        if rejection is not None:
            # Only a 401 says where to authenticate, and only then is it worth finding out.
            authenticate = self._door.challenge() if rejection.status == 401 else ""
            cors = self._cors_headers(environ)
            return respond(rejection, authenticate, cors, environ, start_response)

        def start_with_challenge(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Any:
            if status.startswith("40"):
                headers = [*headers, *self._explain(status, environ)]
            if exc_info is None:
                return start_response(status, headers)
            return start_response(status, headers, exc_info)

        mark = request.begin(environ)
        try:
            body = self._app(environ, start_with_challenge)
        finally:
            request.end(mark)
        return body if type(body) is list else keep_current(environ, body)

    def _explain(self, status: str, environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what we add to an app's refusal; CORS headers only where it is ours in truth."""
        if status.startswith("401"):
            yield "WWW-Authenticate", self._door.challenge()
        if REFUSED in environ:
            yield from self._cors_headers(environ)

    def _cors_headers(self, environ: dict[str, Any]) -> list[tuple[str, str]]:
        return self._door.cors.response_headers(environ.get("HTTP_ORIGIN"))


def filter_factory(
    global_conf: Mapping[str, Any], **local_conf: Any
) -> Callable[[WsgiApp], AuthMiddleware]:
    """Return a paste-deploy filter; all apps it wraps share one memory and one session.

    Raises:
        ConfigurationError: an option is wrong.
    """
    door = open_door({**global_conf, **local_conf})
    return lambda app: AuthMiddleware(app, door)


def app_factory(global_conf: Mapping[str, Any], **local_conf: Any) -> AuthMiddleware:
    """Return a paste-deploy app that answers 204 to whom the filter lets through.

    A reverse proxy can ask it about each request it gets (nginx: `auth_request`).

    Raises:
        ConfigurationError: an option is wrong.
    """
    return AuthMiddleware(_answer_no_content, open_door({**global_conf, **local_conf}))


def _answer_no_content(
    _environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []

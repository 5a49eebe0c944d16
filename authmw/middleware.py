"""The WSGI middleware: it lets a request pass to the app, or answers it.

Paste-deploy finds `filter_factory` and `app_factory` here, and a service that embeds the
middleware calls `AuthMiddleware(app, conf)`, or `AuthProtocol`, which is the same.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from authmw.build import FilterParts, build_filter_parts
from authmw.errors import InvalidToken, Refused
from authmw.rejection import REFUSED, Rejection, respond
from authmw.runtime.request import begin, end
from authmw.token import Token, headers
from authmw.wsgi.asgi import refuse_asgi
from authmw.wsgi.start_response import Header, StartResponse
from authmw.wsgi.streaming import close, keep_current
from authmw.wsgi.subclassing import (
    DECIDING_HOOKS,
    NEVER_CALLED,
    RefusesUncalled,
    make_refusal,
    refuse_uncalled,
    refuse_unrun,
    verify_run,
)

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class AuthMiddleware(metaclass=RefusesUncalled):
    """Protects one WSGI app.

    A subclass may override `is_open`, `on_authenticated` and `reject`, or `process_request` as with
    keystonemiddleware. They are looked up for each request, so that one which is set later, on a
    class or an instance, is found.

    Args:
        app: the WSGI app behind the middleware.
        conf: options that override the configuration file, by name, as paste-deploy hands
            them over; `oslo_config_config`, `oslo_config_project` and `oslo_config_file`
            say which configuration that is.

    Raises:
        ConfigurationError: an option is wrong.
        TypeError: the app is an ASGI app, or (when a subclass is defined) the class overrides what
            only keystonemiddleware calls.
    """

    # Whether a hook was set on this very instance.
    _has_own_hook = False
    # Whether one was set on it or on a class; without, nothing has to be looked up.
    _may_have_hooks = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        refuse_uncalled(cls)

    def __init__(self, app: WsgiApp, conf: Mapping[str, Any]) -> None:
        self._verify_app(app)
        self._app = app
        self._parts = build_filter_parts(conf)

    @classmethod
    def from_parts(cls, app: WsgiApp, parts: FilterParts) -> Self:
        """Return a middleware that shares the parts of a filter with others.

        The `__init__` of a subclass does not run.

        Args:
            app: the WSGI app behind the middleware.
            parts: of `authmw.build.build_filter_parts`.

        Raises:
            TypeError: as for the class.
        """
        middleware = cls.__new__(cls)
        middleware._verify_app(app)
        middleware._app = app
        middleware._parts = parts
        return middleware

    def _verify_app(self, app: WsgiApp) -> None:
        refuse_uncalled(type(self))  # once more: a mixin may have changed since
        refuse_asgi(app)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in NEVER_CALLED:
            raise make_refusal(type(self), name)
        if name in DECIDING_HOOKS:
            refuse_unrun(type(self), name, value)
            super().__setattr__("_has_own_hook", True)
            super().__setattr__("_may_have_hooks", True)
        super().__setattr__(name, value)

    def is_open(self, environ: dict[str, Any]) -> bool:  # noqa: ARG002
        """Tell whether a request needs no token: a hook for subclasses.

        The app then sees X-Identity-Status: Invalid, and a token that was sent is ignored. See
        `public_paths` for what needs no code. Forged identity headers are gone from `environ`
        already; decide by the method and PATH_INFO, which no client's header changes.
        """
        return False

    def on_authenticated(self, environ: dict[str, Any], token: Token) -> None:
        """Look at a validated user token before the app does: a hook for subclasses.

        Args:
            environ: what the app will see, the identity headers among it.
            token: of the caller.

        Raises:
            InvalidToken: to refuse it, as if it had not been valid.
        """

    def process_request(self, request: Any) -> Any:
        """Authenticate one request: a hook for subclasses of keystonemiddleware's.

        An override may look at the request first and return None without calling `super()`: the
        request then reaches the app as it would by `is_open`. The identity headers that a client
        sent are gone by then.

        Args:
            request: a `webob.Request`; see `authmw.wsgi.peer_request.AuthTokenRequest`.

        Returns None: the request goes on to the app. An override may return an answer instead.

        Raises:
            webob.exc.HTTPException: the request is rejected, by HTTPUnauthorized or
                HTTPServiceUnavailable.
        """
        rejection = self._authenticate_with_hooks(request.environ)
        if rejection is not None:
            from authmw.wsgi.peer_request import make_error

            raise make_error(functools.partial(self.reject, rejection=rejection), request.environ)

    def reject(
        self, environ: dict[str, Any], start_response: Callable[..., Any], rejection: Rejection
    ) -> Iterable[bytes]:
        """Answer a request that does not reach the app (PEP 3333): a hook for subclasses.

        Args:
            environ, start_response: of the request.
            rejection: the status that was decided on, 401 or 503, and `retry_after`.
        """
        # Only a 401 says where to authenticate, and only then is it worth finding out.
        authenticate = self._parts.challenge() if rejection.status == 401 else ""
        cors = self._cors_headers(environ)
        return respond(rejection, authenticate, cors, environ, start_response)

    def close(self) -> None:
        """End what works in the background, once no app behind the filter serves any more.

        A server need not: it ends with the process. Tests that make many filters do.
        """
        self._parts.close()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Handle one request (PEP 3333)."""
        kind = type(self)
        if kind is AuthMiddleware and not self._may_have_hooks:
            rejection = self._parts.authenticator.authenticate(environ)
        elif kind.process_request is not _PROCESS_REQUEST or self._has_own_hook:
            answer = self._process_request(environ)
            if answer is not None:
                return answer(environ, start_response)
            rejection = None
        elif kind.is_open is not _IS_OPEN or kind.on_authenticated is not _ON_AUTHENTICATED:
            rejection = self._authenticate_with_hooks(environ)
        else:
            rejection = self._parts.authenticator.authenticate(environ)
        if rejection is not None:
            return self.reject(environ, start_response, rejection)

        start = StartResponse(start_response, environ, self._add_headers)
        mark = begin(environ)
        try:
            body = self._app(environ, start)
        except Refused as refused:
            refusal = refused.answer(environ, start.restart, sys.exc_info())
            start.forward()
            return refusal
        finally:
            end(mark)
        if start.refused is not None:
            close(body)
            start.forward()
            return start.refused.refusal.body_for(environ)
        if type(body) is list:
            start.forward()
            return body
        return keep_current(environ, body, start)

    def _process_request(self, environ: dict[str, Any]) -> WsgiApp | None:
        from authmw.wsgi.peer_request import run_override

        headers.strip(environ)
        answer = run_override(self.process_request, environ)
        verify_run(type(self), "process_request", answer)
        if answer is None and headers.USER_STATUS_KEY not in environ:
            # It let the request through itself. What it said of the caller is its own word.
            said = {key: environ[key] for key in headers.RESERVED_KEYS & environ.keys()}
            self._parts.authenticator.admit_anonymous(environ)
            environ.update(said)
        return answer

    def _authenticate_with_hooks(self, environ: dict[str, Any]) -> Rejection | None:
        authenticator = self._parts.authenticator
        headers.strip(environ)
        is_open = self.is_open(environ)
        if is_open:
            verify_run(type(self), "is_open", is_open)
            authenticator.admit_anonymous(environ)
            return None
        rejection = authenticator.authenticate(environ)
        token = environ.get(headers.TOKEN)
        if rejection is None and token is not None:
            try:
                seen: object = self.on_authenticated(environ, token)  # type: ignore[func-returns-value]
                verify_run(type(self), "on_authenticated", seen)
            except InvalidToken as error:
                rejection = authenticator.refuse_accepted(environ, error)
        return rejection

    def _add_headers(
        self, status: str, response_headers: Sequence[Header], environ: dict[str, Any]
    ) -> Sequence[Header]:
        """Return what we add to an app's refusal; CORS headers only where it is ours in truth."""
        added = []
        if status.startswith("401"):
            added.append(("WWW-Authenticate", self._parts.challenge()))
        # Taken away, so that of several filters one says it, and of one refusal only.
        refused: Refused | None = environ.pop(REFUSED, None)
        if refused is not None and status.startswith(str(refused.refusal.status)):
            added += self._cors_headers(environ, response_headers)
        return added

    def _cors_headers(
        self, environ: dict[str, Any], response_headers: Sequence[Header] = ()
    ) -> list[Header]:
        cors = self._parts.cors
        return (
            [] if cors is None else cors.headers_for(environ.get("HTTP_ORIGIN"), response_headers)
        )


# What stands for no hook at all.
_IS_OPEN = AuthMiddleware.is_open
_ON_AUTHENTICATED = AuthMiddleware.on_authenticated
_PROCESS_REQUEST = AuthMiddleware.process_request

# The name under which services know keystonemiddleware's.
AuthProtocol = AuthMiddleware


def filter_factory(
    global_conf: Mapping[str, Any], **local_conf: Any
) -> Callable[[WsgiApp], AuthMiddleware]:
    """Return a paste-deploy filter; all apps it wraps share one memory and one session.

    Raises:
        ConfigurationError: an option is wrong.
    """
    parts = build_filter_parts({**global_conf, **local_conf})
    return functools.partial(AuthMiddleware.from_parts, parts=parts)


def app_factory(global_conf: Mapping[str, Any], **local_conf: Any) -> AuthMiddleware:
    """Return a paste-deploy app that answers 204 to requests with a confirmed identity.

    A reverse proxy can ask it about each request it gets (nginx: `auth_request`). All others get
    401 or 503: there is no service behind it that could decide on them, so that
    `delay_auth_decision`, `public_paths` and `allow_cors_preflight` are taken as unset.

    Raises:
        ConfigurationError: an option is wrong.
    """
    parts = build_filter_parts({**global_conf, **local_conf, **_NO_SERVICE})
    return AuthMiddleware.from_parts(_answer_confirmed, parts)


# Options that leave it to a service what becomes of a request without an identity.
_NO_SERVICE = {"delay_auth_decision": False, "public_paths": "", "allow_cors_preflight": False}


def _answer_confirmed(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    if environ.get(headers.USER_STATUS_KEY) != headers.CONFIRMED:
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return []
    start_response("204 No Content", [])
    return []

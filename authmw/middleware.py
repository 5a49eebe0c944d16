"""The WSGI middleware: it passes a request to the app, or rejects it.

Paste-deploy uses `filter_factory` and `app_factory`. A service that embeds the middleware calls
`AuthMiddleware(app, conf)`, also known as `AuthProtocol`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from authmw.build import FilterParts, build_filter_parts
from authmw.errors import InvalidToken, Refused
from authmw.rejection import DESCRIBE_RESOURCE, Rejection
from authmw.responses import cors_headers, headers_to_add, reject
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
    keystonemiddleware. They are looked up at each request, so a hook may also be set later, on a
    class or an instance.

    Args:
        app: the WSGI app behind the middleware.
        conf: options by name, as paste-deploy passes them; they override the configuration
            that `oslo_config_config`, `oslo_config_project` or `oslo_config_file` names.

    Raises:
        ConfigurationError: an option is wrong.
        TypeError: the app is an ASGI app, or a subclass overrides a method that only
            keystonemiddleware calls (raised when the class is defined).
    """

    # Whether a hook was set on this instance.
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
        refuse_uncalled(type(self))  # again, because a mixin may have changed
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
        """Return whether a request needs no token: a hook for subclasses.

        If so, the app sees X-Identity-Status: Invalid, and a token that was sent is ignored. The
        option `public_paths` does the same without code. Forged identity headers are already
        removed from `environ`. Decide by method and PATH_INFO, which no header can change.
        """
        return False

    def on_authenticated(self, environ: dict[str, Any], token: Token) -> None:
        """Inspect a validated user token before the app runs: a hook for subclasses.

        Args:
            environ: of the request, with the identity headers set.
            token: the caller's.

        Raises:
            InvalidToken: refuses the token like an invalid one.
        """

    def process_request(self, request: Any) -> Any:
        """Authenticate one request: a hook for subclasses of keystonemiddleware's.

        An override may return None without calling `super()`: the request then reaches the app as
        with `is_open`. The identity headers that the client sent are already removed.

        Args:
            request: a `webob.Request`; see `authmw.wsgi.peer_request.AuthTokenRequest`.

        Returns None: the request goes on to the app. An override may return a response instead.

        Raises:
            webob.exc.HTTPException: the request is rejected, by HTTPUnauthorized or
                HTTPServiceUnavailable.
        """
        rejection = self._authenticate_with_hooks(request.environ)
        if rejection is not None:
            from authmw.wsgi.peer_request import make_error

            resource = self._parts.resource
            if rejection is DESCRIBE_RESOURCE and resource is not None:
                raise make_error(resource.answer, request.environ)
            raise make_error(functools.partial(self.reject, rejection=rejection), request.environ)

    def reject(
        self, environ: dict[str, Any], start_response: Callable[..., Any], rejection: Rejection
    ) -> Iterable[bytes]:
        """Answer a rejected request (PEP 3333): a hook for subclasses.

        Args:
            environ, start_response: of the request.
            rejection: the status, 401 or 503, and `retry_after`.
        """
        return reject(self._parts, environ, start_response, rejection)

    def stats(self) -> dict[str, float]:
        """Return the metrics of this filter, by series as of `authmw.metrics.stats`.

        Decisions and hits in memory are counted only with `metrics` set.
        """
        return self._parts.stats()

    def find_troubles(self, now: float) -> list[str]:
        """Return why this filter can't do its work; see `authmw.health`."""
        return self._parts.find_troubles(now)

    def close(self) -> None:
        """Stop the background threads, once no app behind the filter serves requests.

        A server need not call this: the threads end with the process. Tests that build many
        filters should.
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
            answered = self._answer(environ, start_response, rejection)
            if answered is not None:
                return answered

        start = StartResponse(start_response, environ, self._add_headers)
        mark = begin(environ)
        try:
            body = self._app(environ, start.start_response)
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

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any], rejection: Rejection
    ) -> Iterable[bytes] | None:
        """Answer in place of the app; None: the app answers."""
        resource = self._parts.resource
        if rejection is DESCRIBE_RESOURCE and resource is not None:
            return resource.answer(environ, start_response, cors_headers(self._parts, environ))
        return self.reject(environ, start_response, rejection)

    def _process_request(self, environ: dict[str, Any]) -> WsgiApp | None:
        from authmw.wsgi.peer_request import run_override

        headers.strip(environ)
        answer = run_override(self.process_request, environ)
        verify_run(type(self), "process_request", answer)
        if answer is None and headers.USER_STATUS_KEY not in environ:
            # The override let the request through itself; identity headers it set are kept.
            own = {key: environ[key] for key in headers.RESERVED_KEYS & environ.keys()}
            self._parts.authenticator.admit_anonymous(environ)
            environ.update(own)
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
        return headers_to_add(self._parts, status, response_headers, environ)


# The methods of a class without hooks.
_IS_OPEN = AuthMiddleware.is_open
_ON_AUTHENTICATED = AuthMiddleware.on_authenticated
_PROCESS_REQUEST = AuthMiddleware.process_request

# The name of keystonemiddleware's class.
AuthProtocol = AuthMiddleware


def filter_factory(
    global_conf: Mapping[str, Any], **local_conf: Any
) -> Callable[[WsgiApp], AuthMiddleware]:
    """Return a paste-deploy filter; all apps that it wraps share its parts.

    Raises:
        ConfigurationError: an option is wrong.
    """
    parts = build_filter_parts({**global_conf, **local_conf})
    return functools.partial(AuthMiddleware.from_parts, parts=parts)


def app_factory(global_conf: Mapping[str, Any], **local_conf: Any) -> AuthMiddleware:
    """Return a paste-deploy app that answers 204 to requests with a confirmed identity.

    A reverse proxy can send it each request that it gets (nginx: `auth_request`). Requests without
    a confirmed identity get 401 or 503. No service behind it could decide on them, so
    `delay_auth_decision`, `public_paths` and `allow_cors_preflight` are treated as unset.

    Raises:
        ConfigurationError: an option is wrong.
    """
    parts = build_filter_parts({**global_conf, **local_conf, **_NO_SERVICE})
    return AuthMiddleware.from_parts(_answer_confirmed, parts)


# Options that leave requests without an identity to the service.
_NO_SERVICE = {"delay_auth_decision": False, "public_paths": "", "allow_cors_preflight": False}


def _answer_confirmed(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    if environ.get(headers.USER_STATUS_KEY) != headers.CONFIRMED:
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return []
    start_response("204 No Content", [])
    return []

"""The ASGI middleware: it passes a request or websocket to the app, or rejects it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, Self

from authmw.asgi.answers import (
    Answer,
    Header,
    Responder,
    answer_refusal,
    close_websocket,
    record,
    send_answer,
)
from authmw.asgi.interface import AsgiApp, Message, Receive, Scope, Send
from authmw.asgi.lookups import Lookups
from authmw.asgi.out_of_service import CLOSED, ClosedError, OutOfService, is_served
from authmw.asgi.scope import make_scope, read_scope
from authmw.build import FilterParts, build_filter_parts
from authmw.config.option_names import verify_option_names
from authmw.decorators.configuration import choose_options
from authmw.errors import ConfigurationError, Refused, WouldBlock
from authmw.rejection import DESCRIBE_RESOURCE, REFUSED, Rejection, respond
from authmw.responses import cors_headers, headers_to_add
from authmw.runtime.blocking import Answers
from authmw.runtime.request import begin, end
from authmw.wsgi.asgi import is_asgi

# Followers of a look-up wait a little longer than it may take.
_PATIENCE_SECONDS: Final = 2.0


class AuthMiddleware:
    """Protects one ASGI app (ASGI 3), as `authmw.AuthMiddleware` does a WSGI app.

    Identity headers in the scope are encoded in UTF-8; `keystone.token_info`,
    `keystone.token_auth` and `authmw.token` are keys of the scope. A websocket is judged once,
    before it is accepted. It runs on asyncio event loops.

    The filter is built at once. It is closed at the end of the app's lifespan if it has one. Where
    Starlette or FastAPI builds the middleware, the server has called the app already: a mistake
    then fails the lifespan, and all requests get 503.

    Args:
        app: the ASGI app behind the middleware.
        conf: options by name, as paste-deploy passes them.
        config_file: with a section `[keystone_authtoken]`.
        config: an oslo.config object; by default, with no file either, `oslo_config.cfg.CONF`.
        max_lookups: how many threads look tokens up that are not in memory, each for opaque tokens
            and for signed ones; 1 or more.
        options: any of `[keystone_authtoken]`; they override all others.

    Raises:
        ConfigurationError: an option or `max_lookups` is wrong.
        TypeError: the app is no ASGI app, one of `options` does not exist, or a file and an object
            were given.
    """

    def __init__(
        self,
        app: AsgiApp,
        /,
        conf: Mapping[str, Any] | None = None,
        *,
        config_file: str | None = None,
        config: Any = None,
        max_lookups: int = 32,
        **options: Any,
    ) -> None:
        # In this order, so that a mistake leaves no filter behind.
        _verify_app(app)
        self._max_lookups = max_lookups
        self._app = app
        self._is_closed = False
        self._conf: Mapping[str, Any] | None = None
        self._out_of_service: OutOfService | None = None
        try:
            _verify_lookups(max_lookups)
            verify_option_names(options)
            self._conf = choose_options({**(conf or {}), **options}, config_file, config)
            self._use(build_filter_parts(self._conf))
        except Exception as error:
            if not is_served():
                raise
            self._out_of_service = OutOfService(error)

    def __init_subclass__(cls, **_: Any) -> NoReturn:
        raise TypeError(
            "authmw.asgi.AuthMiddleware has no hooks, and no subclasses: put a middleware of your"
            " own before or behind it"
        )

    @classmethod
    def from_parts(cls, app: AsgiApp, parts: FilterParts, *, max_lookups: int = 32) -> Self:
        """Return a middleware that shares the parts of a filter with others, and closes none.

        Args:
            app: the ASGI app behind the middleware.
            parts: of `authmw.build.build_filter_parts`.
            max_lookups: as for the class.

        Raises:
            ConfigurationError: `max_lookups` is wrong.
            TypeError: the app is no ASGI app.
        """
        _verify_app(app)
        _verify_lookups(max_lookups)
        middleware = cls.__new__(cls)
        middleware._conf = None
        middleware._out_of_service = None
        middleware._max_lookups = max_lookups
        middleware._app = app
        middleware._is_closed = False
        middleware._use(parts)
        return middleware

    def _use(self, parts: FilterParts) -> None:
        self._parts = parts
        patience = parts.settings.identity_deadline + _PATIENCE_SECONDS
        self._lookups = Lookups(self._max_lookups, patience)

    def _reopen(self, conf: Mapping[str, Any]) -> None:
        """Build a closed filter anew: the same app is served once more, as tests do."""
        try:
            self._use(build_filter_parts(conf))
        except Exception as error:  # noqa: BLE001 - a server would take it for "no lifespan"
            self._out_of_service = OutOfService(error)
        else:
            self._is_closed, self._out_of_service = False, None

    def stats(self) -> dict[str, float]:
        """Return the metrics of this filter; see `authmw.AuthMiddleware.stats`."""
        return {} if self._out_of_service is not None else self._parts.stats()

    def find_troubles(self, now: float) -> list[str]:
        """Return why this filter can't do its work; see `authmw.health`."""
        if self._out_of_service is not None:
            return [self._out_of_service.message]
        return self._parts.find_troubles(now)

    def close(self) -> None:
        """Stop the background threads, once the app serves no more requests.

        From then on, all requests get 503. A new lifespan builds the filter anew.
        """
        if self._out_of_service is not None:
            return
        self._lookups.close()
        if self._conf is not None:
            self._is_closed = True
            # It learns of no revocation any more.
            self._out_of_service = OutOfService(ClosedError())
            self._parts.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, websocket or lifespan (ASGI 3)."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(scope, receive, send)
            return
        if self._out_of_service is not None:
            await self._out_of_service(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            # Whatever it is, nobody would have authenticated it.
            raise ValueError(f"authmw knows no ASGI scope of type {kind!r}")
        try:
            environ, kept = read_scope(scope)
        except Exception as error:  # noqa: BLE001 - a scope that no server should make
            environ = {"REQUEST_METHOD": scope.get("method", "GET")}
            fault = self._parts.authenticator.refuse_for_fault(environ, error)
            await self._reject(fault, environ, scope, receive, send)
            return
        answers: Answers = {}
        rejection: Rejection | None
        try:
            rejection = self._parts.authenticator.authenticate(environ, answers)
        except WouldBlock as pending:
            rejection = await self._decide_later(environ, answers, pending)
        if rejection is not None:
            await self._reject(rejection, environ, scope, receive, send)
            return
        responder = Responder(scope, send, environ, self._add_headers)
        mark = begin(environ)
        try:
            await self._app(make_scope(scope, kept, environ), receive, responder.send)
            if kind == "websocket" and REFUSED in environ and not responder.has_begun:
                # A framework has caught the refusal, and could not answer a websocket with it.
                await self._refuse(environ[REFUSED], environ, scope, send)
        except Refused as refused:
            if responder.is_accepted:
                await close_websocket(send, refused.refusal.status)
            elif responder.has_begun:
                raise
            else:
                await self._refuse(refused, environ, scope, send)
        finally:
            try:  # noqa: SIM105 - a context manager would cost every request
                end(mark)
            except ValueError:
                pass  # the event loop ended first, and this is its clean-up, in another context
            # Tasks that the app has started, and that outlive the request, have a copy of the
            # context: for them it is over.
            environ.clear()

    async def _decide_later(
        self, environ: dict[str, Any], answers: Answers, pending: WouldBlock
    ) -> Rejection | None:
        """Have done what the request needs, then decide on it."""
        while True:
            authenticator = self._parts.authenticator
            try:
                answers[pending.key] = await self._lookups.run(pending)
                if self._is_closed:
                    return CLOSED
                return authenticator.authenticate(environ, answers)
            except WouldBlock as more:
                pending = more
            except Exception as error:  # noqa: BLE001 - a fault of ours, in a thread
                return authenticator.refuse_for_fault(environ, error)

    async def _reject(
        self,
        rejection: Rejection,
        environ: dict[str, Any],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer in place of the app."""
        answer = await self._make_answer(rejection, environ, scope)
        if scope["type"] == "websocket":
            await receive()  # websocket.connect, which comes before any answer
        await send_answer(scope, send, answer)

    async def _make_answer(
        self, rejection: Rejection, environ: dict[str, Any], scope: Scope
    ) -> Answer:
        cors = cors_headers(self._parts, environ)
        resource = self._parts.resource
        if rejection is DESCRIBE_RESOURCE and resource is not None:
            if scope["type"] == "http":
                return record(functools.partial(resource.answer, cors=cors), environ)
            rejection = Rejection(401)
        challenges: list[Header] = []
        if rejection.status == 401:
            await self._discover()
            challenges = self._parts.challenge(rejection.reason, may_ask=False)
        return record(functools.partial(respond, rejection, challenges, cors), environ)

    async def _refuse(
        self, refused: Refused, environ: dict[str, Any], scope: Scope, send: Send
    ) -> None:
        environ.setdefault(REFUSED, refused)
        status = str(refused.refusal.status)
        added = await self._add_headers(status, refused.refusal.all_headers, environ)
        await send_answer(scope, send, answer_refusal(refused.refusal, environ, added))

    async def _add_headers(
        self, status: str, response_headers: Sequence[Header], environ: dict[str, Any]
    ) -> Sequence[Header]:
        if status == "401":
            await self._discover()
        return headers_to_add(self._parts, status, response_headers, environ, may_ask=False)

    async def _discover(self) -> None:
        """Find out where clients get a token, unless that is known, or not to be told."""
        identity = self._parts.identity
        if self._parts.tells_of_keystone and identity.seeks_authenticate_uri:
            work = WouldBlock("discovery", identity.authenticate_uri, "upkeep", "go on")
            await self._lookups.run(work)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the lifespan of the app (ASGI, "Lifespan Protocol")."""
        if self._is_closed and self._conf is not None:
            self._reopen(self._conf)
        if self._out_of_service is not None:
            await self._out_of_service(scope, receive, send)
            return
        is_ending = False

        async def watch() -> Message:
            nonlocal is_ending
            message = await receive()
            is_ending = message["type"] == "lifespan.shutdown"
            return message

        try:
            await self._app(scope, watch, send)
        finally:
            # An app without a lifespan raises at once, and is served all the same.
            if is_ending:
                self.close()


def _verify_app(app: Any) -> None:
    if not is_asgi(app):
        name = getattr(app, "__qualname__", type(app).__qualname__)
        raise TypeError(f"{name} is no ASGI app: a WSGI app goes into authmw.AuthMiddleware")


def _verify_lookups(threads: object) -> None:
    if type(threads) is not int or threads < 1:
        raise ConfigurationError(
            "max_lookups",
            threads,
            "write a whole number of threads, at least 1, or leave it out",
            section="authmw.asgi.AuthMiddleware",
        )

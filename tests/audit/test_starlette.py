"""`authmw.audit_routes` of Starlette and FastAPI apps."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

import authmw
import authmw.asgi
from authmw.testing import Cloud

admins = authmw.require(roles="admin")
needs_admin = Depends(authmw.asgi.require_token(roles="admin"))


def deep(_token: Annotated[authmw.Token, needs_admin]) -> int:
    return 1


def audit(app: Any) -> set[tuple[str, tuple[str, ...]]]:
    return {(one.path, one.methods) for one in authmw.audit_routes(app)}


def reasons(app: Any) -> dict[str, str]:
    return {one.path: one.reason for one in authmw.audit_routes(app)}


def plain(_request: Any) -> Any:
    return PlainTextResponse("x")


async def plain_async(_request: Any) -> Any:
    return PlainTextResponse("x")


async def talk(_websocket: WebSocket) -> None:
    """Answer nothing."""


class Endpoint(HTTPEndpoint):
    @admins
    async def get(self, _request: Any) -> Any:
        return PlainTextResponse("x")

    def post(self, _request: Any) -> Any:
        return PlainTextResponse("x")


class OtherDispatch(HTTPEndpoint):
    get = admins(plain)

    async def dispatch(self) -> None:
        """Answer nothing."""


class CheckedDispatch(HTTPEndpoint):
    get = plain

    @admins
    async def dispatch(self) -> None:
        """Answer nothing."""


class Talk(WebSocketEndpoint):
    @admins
    async def on_connect(self, websocket: Any) -> None:
        """Answer nothing."""


class OpenTalk(WebSocketEndpoint):
    @admins
    async def on_receive(self, websocket: Any, data: Any) -> None:
        """Answer nothing."""


async def raw(_scope: Any, _receive: Any, _send: Any) -> None:
    """Answer nothing."""


def remembered(view: Any) -> Any:
    @functools.wraps(view)
    def answer(_request: Any) -> Any:
        return PlainTextResponse("remembered")

    return answer


def make_starlette(directory: Path) -> Starlette:
    return Starlette(
        routes=[
            Route("/open", plain, methods=["GET", "PUT"]),
            Route("/open-async", plain_async),
            Route("/checked", admins(plain), max_body_size=7),
            Route("/checked-async", admins(plain_async)),
            Route("/partial", functools.partial(admins(plain))),
            Route("/below", remembered(admins(plain))),
            Route("/middleware", admins(plain), middleware=[Middleware(GZipMiddleware)]),
            Route("/endpoint", Endpoint),
            Route("/endpoint-get", Endpoint, methods=["GET"]),
            Route("/dispatch", OtherDispatch),
            Route("/checked-dispatch", CheckedDispatch),
            WebSocketRoute("/talk", talk),
            WebSocketRoute("/checked-talk", admins(talk)),
            WebSocketRoute("/class-talk", Talk),
            WebSocketRoute("/open-class-talk", OpenTalk),
            Mount("/files", StaticFiles(directory=directory), name="files"),
            Mount("/asgi", raw),
            Mount("/mount", routes=[Route("/open", plain), Route("/checked", admins(plain))]),
            Mount("/app", Starlette(routes=[Mount("/in", routes=[Route("/open", plain)])])),
            Mount("/router", Router(routes=[Route("/open", plain)], default=raw)),
            Host("api.example", Router(routes=[Route("/open", plain)])),
        ]
    )


def test_starlette(tmp_path: Path) -> None:
    assert audit(make_starlette(tmp_path)) == {
        ("/open", ("GET", "PUT")),
        ("/open-async", ("GET",)),
        ("/below", ("GET",)),
        ("/middleware", ("GET",)),
        ("/endpoint", ("POST",)),
        ("/dispatch", ("GET",)),
        ("/talk", ("GET",)),
        ("/open-class-talk", ("GET",)),
        ("/files", ()),
        ("/asgi", ()),
        ("/mount/open", ("GET",)),
        ("/app/in/open", ("GET",)),
        ("/router/open", ("GET",)),
        ("/router default", ()),
        ("api.example/open", ("GET",)),
    }


def test_reasons(tmp_path: Path) -> None:
    found = reasons(make_starlette(tmp_path))
    assert found["/open"] == "no check stands before it"
    assert "remembered" in found["/below"]
    assert found["/middleware"] == (
        "its check is below a starlette.middleware.gzip.GZipMiddleware, which may answer without it"
    )
    assert "OtherDispatch.dispatch" in found["/dispatch"]


def make_fastapi(**options: Any) -> FastAPI:
    app = FastAPI(openapi_url=None, **options)

    @admins
    def is_admin() -> None:
        """Check nothing by itself."""

    @app.get("/open")
    async def _open() -> None: ...

    @app.get("/decorated")
    @admins
    async def decorated(limit: int = 3) -> None: ...

    @app.get("/parameter")
    def parameter(token: Annotated[authmw.Token, needs_admin]) -> None: ...

    @app.post("/deep")
    def deeper(number: Annotated[int, Depends(deep)]) -> None: ...

    @app.get("/any")
    def any_token(token: Annotated[authmw.Token, Security(authmw.current_token)]) -> None: ...

    @app.get("/function", dependencies=[Depends(is_admin)])
    def function() -> None: ...

    @app.get("/late")
    def late() -> None:
        authmw.check(roles="admin")

    @app.get("/optional")
    def optional(token: Annotated[authmw.Token | None, Depends(authmw.current)]) -> None: ...

    @app.websocket("/talk")
    async def _talk(websocket: WebSocket) -> None: ...

    @app.websocket("/checked-talk")
    async def checked_talk(
        websocket: WebSocket, token: Annotated[authmw.Token, needs_admin]
    ) -> None: ...

    return app


OPEN = {
    ("/open", ("GET",)),
    ("/late", ("GET",)),
    ("/optional", ("GET",)),
    ("/talk", ("GET",)),
}


def test_fastapi() -> None:
    assert audit(make_fastapi()) == OPEN
    assert audit(make_fastapi(dependencies=[needs_admin])) == set()
    assert audit(FastAPI()) == {
        ("/docs", ("GET",)),
        ("/docs/oauth2-redirect", ("GET",)),
        ("/openapi.json", ("GET",)),
        ("/redoc", ("GET",)),
    }


def make_router(**options: Any) -> APIRouter:
    inner = APIRouter(prefix="/inner")
    router = APIRouter(prefix="/router", **options)

    @router.get("/item")
    async def item() -> None: ...

    @router.websocket("/talk")
    async def _talk(websocket: WebSocket) -> None: ...

    @inner.delete("/item")
    async def inner_item() -> None: ...

    router.include_router(inner)
    return router


def test_routers_of_fastapi() -> None:
    app = FastAPI(openapi_url=None)
    app.include_router(make_router(dependencies=[needs_admin]), prefix="/checked")
    app.include_router(make_router(), prefix="/included", dependencies=[needs_admin])
    app.include_router(make_router(), prefix="/open")
    app.mount("/sub", make_fastapi())
    app.mount("/sub-router", make_router())
    assert audit(app) == {
        ("/open/router/item", ("GET",)),
        ("/open/router/talk", ("GET",)),
        ("/open/router/inner/item", ("DELETE",)),
        ("/sub-router/router/item", ("GET",)),
        ("/sub-router/router/talk", ("GET",)),
        ("/sub-router/router/inner/item", ("DELETE",)),
        *((f"/sub{path}", methods) for path, methods in OPEN),
    }


def test_overridden_dependency_is_no_check() -> None:
    app = make_fastapi(dependencies=[needs_admin])
    app.dependency_overrides[needs_admin.dependency] = lambda: None
    lost = {("/parameter", ("GET",)), ("/deep", ("POST",)), ("/checked-talk", ("GET",))}
    assert audit(app) == OPEN | lost


def test_route_class_of_the_app_s_own_may_answer_by_itself() -> None:
    class Remembering(APIRoute):
        def get_route_handler(self) -> Any:
            return plain_async

    app = FastAPI(openapi_url=None)
    app.router.route_class = Remembering
    app.get("/", dependencies=[needs_admin])(lambda: None)
    assert "Remembering.get_route_handler" in reasons(app)["/"]


def test_frontend_of_fastapi(tmp_path: Path) -> None:
    if not hasattr(FastAPI, "frontend"):
        pytest.skip("this version has none")
    router = APIRouter(prefix="/router")
    router.frontend("/in", directory=tmp_path)
    app = FastAPI(openapi_url=None)
    app.frontend("/ui", directory=tmp_path)
    app.include_router(router)
    app.include_router(router, prefix="/checked", dependencies=[needs_admin])
    assert audit(app) == {("/ui", ("GET",)), ("/router/in", ("GET",))}


def test_middleware_in_front_is_no_check() -> None:
    with Cloud() as cloud:
        protected = cloud.protect(make_fastapi(), public_paths="/open")
        assert audit(protected) == OPEN
        app = Starlette(routes=[Mount("/sub", protected)])
        assert audit(app) == {(f"/sub{path}", methods) for path, methods in OPEN}
        added = make_fastapi()
        added.add_middleware(authmw.asgi.AuthMiddleware, cloud.options)
        assert audit(added) == OPEN

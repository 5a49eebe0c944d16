"""`authmw.audit_routes` of apps of Starlette that replace what calls a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute, request_response

import authmw
import authmw.asgi

admins = authmw.require(roles="admin")
needs_admin = Depends(authmw.asgi.require_token(roles="admin"))


def audit(app: Any) -> dict[tuple[str, tuple[str, ...]], str]:
    return {(one.path, one.methods): one.reason for one in authmw.audit_routes(app)}


async def answer(_self: Any, scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("open")(scope, receive, send)


def open_view(_request: Any) -> Any:
    return PlainTextResponse("open")


checked = admins(open_view)
ROUTES = (Route("/x", checked),)


def derive(base: Any, **members: Any) -> Any:
    return type(f"Own{base.__name__}", (base,), members)


def make_endpoint(base: Any = HTTPEndpoint, **members: Any) -> Any:
    own: dict[str, Any] = {"get": admins(lambda _self, _request: None)}
    return derive(base, **{**own, **members})


def swapping(name: str) -> Callable[..., None]:
    def swap(self: Any, *arguments: Any, **named: Any) -> None:
        super(type(self), self).__init__(*arguments, **named)
        setattr(self, name, open_view)

    return swap


def make_replaced_app() -> Any:
    mount = Mount("/x", routes=ROUTES)
    mount.app = open_view  # type: ignore[assignment]
    return Starlette(routes=[mount])


def make_replaced_stack() -> Any:
    router = Router(routes=ROUTES)
    router.middleware_stack = open_view  # type: ignore[assignment]
    return Starlette(routes=[Mount("/x", app=router)])


def make_handled() -> Any:
    route = Route("/x", checked)
    route.handle = open_view  # type: ignore[assignment, method-assign]
    return Starlette(routes=[route])


class RequestBodyLimitMiddleware:
    """Bears the name of Starlette's, and answers by itself."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(self, scope, receive, send)


def make_limited() -> Any:
    route = Route("/x", checked)
    route.app = RequestBodyLimitMiddleware(route.app)
    return Starlette(routes=[route])


# Apps of Starlette, and what is listed with which reason.
STARLETTE: dict[str, tuple[Callable[[], Any], tuple[str, tuple[str, ...]], str]] = {
    "app's __call__": (
        lambda: derive(Starlette, __call__=answer)(routes=ROUTES),
        ("/", ()),
        "answer",
    ),
    "app's build_middleware_stack": (
        lambda: derive(Starlette, build_middleware_stack=answer)(routes=ROUTES),
        ("/", ()),
        "answer",
    ),
    "router's __call__": (
        lambda: Starlette(routes=[Mount("/m", app=derive(Router, __call__=answer)(routes=ROUTES))]),
        ("/m", ()),
        "answer",
    ),
    "router's app": (
        lambda: Starlette(routes=[Mount("/m", app=derive(Router, app=answer)(routes=ROUTES))]),
        ("/m", ()),
        "answer",
    ),
    "router's middleware_stack": (make_replaced_stack, ("/x", ()), "open_view"),
    "mount's handle": (
        lambda: Starlette(routes=[derive(Mount, handle=answer)("/m", routes=ROUTES)]),
        ("/m", ()),
        "answer",
    ),
    "mount's app": (make_replaced_app, ("/x", ()), "no check stands before it"),
    "host's handle": (
        lambda: Starlette(routes=[derive(Host, handle=answer)("a.example", Router(routes=ROUTES))]),
        ("a.example", ()),
        "answer",
    ),
    "route's handle": (
        lambda: Starlette(routes=[derive(Route, handle=answer)("/x", checked)]),
        ("/x", ("GET",)),
        "answer",
    ),
    "route's own handle": (make_handled, ("/x", ("GET",)), "open_view"),
    "route's limit": (make_limited, ("/x", ("GET",)), "RequestBodyLimitMiddleware"),
    "method_not_allowed": (
        lambda: Starlette(routes=[Route("/x", make_endpoint(method_not_allowed=open_view))]),
        ("/x", ()),
        "open_view answers its other methods",
    ),
    "method_not_allowed of few methods": (
        lambda: Starlette(
            routes=[Route("/x", make_endpoint(method_not_allowed=open_view), methods=["PUT"])]
        ),
        ("/x", ()),
        "open_view answers its other methods",
    ),
    "endpoint's __init__": (
        lambda: Starlette(routes=[Route("/x", make_endpoint(__init__=swapping("get")))]),
        ("/x", ()),
        "swapping.<locals>.swap may replace its methods",
    ),
    "endpoint's __getattribute__": (
        lambda: Starlette(routes=[Route("/x", make_endpoint(__getattribute__=open_view))]),
        ("/x", ()),
        "may replace its methods",
    ),
    "websocket's __init__": (
        lambda: Starlette(
            routes=[
                WebSocketRoute(
                    "/x",
                    make_endpoint(
                        WebSocketEndpoint, on_connect=checked, __init__=swapping("on_connect")
                    ),
                )
            ]
        ),
        ("/x", ()),
        "may replace its methods",
    ),
}


@pytest.mark.parametrize("name", STARLETTE)
def test_starlette(name: str) -> None:
    make, listed, reason = STARLETTE[name]
    found = audit(make())
    assert listed in found
    assert reason in found[listed]


def test_starlette_s_own_code_is_known() -> None:
    endpoint = make_endpoint()
    app = derive(Starlette)(
        routes=[
            derive(Mount)("/m", app=derive(Router)(routes=ROUTES)),
            derive(Route)("/e", endpoint),
            derive(Route)("/p", endpoint, methods=["GET"]),
        ]
    )
    assert audit(app) == {}


def make_fastapi(route_class: Any = APIRoute) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.router.route_class = route_class
    app.get("/x", dependencies=[needs_admin])(lambda: None)
    return app


def replaced_app(other: Any) -> Any:
    def make(self: Any, *arguments: Any, **named: Any) -> None:
        APIRoute.__init__(self, *arguments, **named)
        self.app = request_response(self.endpoint if other is None else other)

    return make


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"handle": answer}, "below tests.audit.test_replaced_code.answer"),
        ({"__init__": replaced_app(open_view)}, "below tests.audit.test_replaced_code.open_view"),
        ({"__init__": replaced_app(None)}, "its check is below"),
    ],
)
def test_route_of_fastapi(members: Any, reason: str) -> None:
    found = audit(make_fastapi(derive(APIRoute, **members)))
    assert reason in found["/x", ("GET",)]
    assert audit(make_fastapi(derive(APIRoute))) == {}


def test_included_router_of_fastapi() -> None:
    for name in ("handle", "matches"):
        if not hasattr(APIRouter, name):
            pytest.skip("this version copies the routes of a router")
        router = derive(APIRouter, **{name: answer})(prefix="/r", dependencies=[needs_admin])
        router.get("/x")(lambda: None)
        app = FastAPI(openapi_url=None)
        app.include_router(router)
        assert "answer" in audit(app)["/r", ()]


def test_overrides_are_those_of_the_app_that_a_route_was_made_for() -> None:
    overriding = make_fastapi()
    overriding.dependency_overrides[needs_admin.dependency] = lambda: None
    router = APIRouter(dependency_overrides_provider=overriding)
    router.get("/x", dependencies=[needs_admin])(lambda: None)
    borrowing = FastAPI(openapi_url=None)
    borrowing.router.routes.extend(overriding.routes)
    mounting = FastAPI(openapi_url=None)
    mounting.mount("/m", router)
    assert set(audit(borrowing)) == {("/x", ("GET",))}
    assert set(audit(mounting)) == {("/m/x", ("GET",))}
    lending = make_fastapi()
    overriding.router.routes[:] = lending.routes
    assert audit(overriding) == {}


def test_dependencies_are_those_that_are_solved() -> None:
    app = make_fastapi()
    app.get("/late")(lambda: None)
    route: Any = app.routes[-1]
    route.dependant = app.routes[0].dependant  # type: ignore[attr-defined]
    assert set(audit(app)) == {("/late", ("GET",))}

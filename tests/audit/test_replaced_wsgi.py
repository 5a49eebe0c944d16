"""`authmw.audit_routes` of apps of Flask, Falcon and Pyramid that replace what calls a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import falcon
import falcon.asgi
import flask
import flask.views
import pytest
from pyramid.config import Configurator
from pyramid.security import NO_PERMISSION_REQUIRED

import authmw
from tests.audit.test_replaced_code import answer, audit, derive

admins = authmw.require(roles="admin")


def audit_flask(app: Any, **views: Any) -> dict[tuple[str, tuple[str, ...]], str]:
    for name, view in views.items():
        app.add_url_rule(f"/{name}", view_func=view.as_view(name))
    return audit(app)


def test_flask() -> None:
    @admins
    def get(_self: Any) -> str:
        return "x"

    def assign(self: Any) -> None:
        self.get = lambda: "open"

    base = flask.views.MethodView
    each = derive(base, get=get, __init__=assign)
    once = derive(base, get=get, __init__=assign, init_every_request=False)
    plain = derive(base, get=get, __init__=lambda _self: None, init_every_request=False)
    app = flask.Flask("app", static_folder=None)
    found = audit_flask(app, each=each, once=once, plain=plain, own=derive(base, get=get))
    assert "assign may replace its methods" in found["/each", ()]
    assert set(found) == {("/each", ()), ("/once", ("GET",))}
    for step in ("wsgi_app", "dispatch_request", "full_dispatch_request", "preprocess_request"):
        app = derive(flask.Flask, **{step: answer})("app", static_folder=None)
        assert "answer" in audit(app)["/", ()]
    app = derive(flask.Flask)("app", static_folder=None)
    app.wsgi_app = answer
    assert audit(app) == {}


class Resource:
    def on_get(self, _req: Any, _resp: Any) -> None:
        """Answer nothing."""

    async def on_websocket(self, _req: Any, _socket: Any) -> None:
        """Answer nothing."""


class AsyncResource(Resource):
    async def on_get(self, _req: Any, _resp: Any) -> None:  # type: ignore[override]
        """Answer nothing."""


async def pass_on(*_arguments: Any, **_named: Any) -> None:
    """Check nothing by itself."""


def audit_falcon(kind: Any, **hooks: Any) -> set[tuple[str, tuple[str, ...]]]:
    app = kind(middleware=[derive(object, **hooks)()])
    app.add_route("/x", AsyncResource() if issubclass(kind, falcon.asgi.App) else Resource())
    app.add_sink(pass_on, "/sink")
    return set(audit(app))


def test_falcon_calls_other_middleware_for_asgi_and_websockets() -> None:
    check = admins(pass_on)
    get, websocket, sink = ("/x", ("GET",)), ("/x", ("WEBSOCKET",)), ("a sink", ())
    both = ("/x", ("GET", "WEBSOCKET"))
    asgi = falcon.asgi.App
    assert audit_falcon(asgi, process_request=check) == {websocket, sink}
    assert audit_falcon(asgi, process_request_async=check, process_request_ws=check) == set()
    found = audit_falcon(asgi, process_request=check, process_request_async=pass_on)
    assert found == {both, sink}
    assert audit_falcon(asgi, process_request_ws=check) == {get, sink}
    assert audit_falcon(asgi, process_resource=check, process_resource_ws=check) == {sink}


@pytest.mark.parametrize("name", ["__call__", "_get_responder"])
def test_falcon(name: str) -> None:
    assert "answer" in audit(derive(falcon.App, **{name: answer})())["/", ()]
    router = derive(falcon.routing.CompiledRouter, find=answer)()
    assert "answer" in audit(falcon.App(router=router))["/", ()]
    assert audit(derive(falcon.App)()) == {}


class Assigning:
    def __init__(self, request: Any) -> None:
        self.request = request
        self.user = request.user

    @admins
    def x(self) -> str:
        return "x"


class Swapping(Assigning):
    def __init__(self, request: Any) -> None:
        self.request = request
        self.x = lambda: "open"  # type: ignore[method-assign]


class Calling(Assigning):
    def __init__(self, request: Any) -> None:
        super().__init__(request)


def derive_view(view: Any, _info: Any) -> Any:
    def deriving(context: Any, request: Any) -> Any:
        return view(context, request)

    return deriving


def mapper(**_options: Any) -> Any:
    return lambda _view: lambda _context, _request: "open"


def audit_pyramid(prepare: Callable[[Any], None], **views: Any) -> set[str]:
    with Configurator() as config:
        config.include("authmw.pyramid")
        prepare(config)
        for name, options in views.items():
            config.add_route(name, f"/{name}")
            config.add_view(route_name=name, renderer="string", **options)
        return {path.removeprefix("/") for path, _ in audit(config.make_wsgi_app())}


def pyramid_view(_request: Any) -> str:
    return "x"


def test_pyramid() -> None:
    public = {"permission": NO_PERMISSION_REQUIRED, "accept": "text/plain"}
    views: dict[str, Any] = {
        "public": {"view": pyramid_view, **public},
        "secured": {"view": pyramid_view, "permission": "add", "accept": "text/plain"},
        "assigning": {"view": Assigning, "attr": "x"},
        "swapping": {"view": Swapping, "attr": "x"},
        "calling": {"view": Calling, "attr": "x"},
        "checked": {"view": admins(pyramid_view)},
        "decorated": {"view": pyramid_view, "decorator": admins},
        "mapping": {"view": derive(Assigning, __view_mapper__=mapper), "attr": "x"},
    }
    always = {"public", "swapping", "calling", "mapping"}
    assert audit_pyramid(lambda _config: None, **views) == always
    found = audit_pyramid(lambda config: config.add_view_deriver(derive_view), **views)
    assert found == {*views} - {"secured"}
    found = audit_pyramid(
        lambda config: config.add_view_deriver(derive_view, under="INGRESS", over="secured_view"),
        **views,
    )
    assert found == {*views}
    assert "checked" in audit_pyramid(lambda config: config.set_view_mapper(mapper), **views)

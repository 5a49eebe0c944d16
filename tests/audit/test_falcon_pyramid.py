"""`authmw.audit_routes` of Falcon and Pyramid apps, and of what is no app."""

from __future__ import annotations

from typing import Any

import falcon
import falcon.asgi
import pytest
from pyramid.config import Configurator
from pyramid.security import NO_PERMISSION_REQUIRED

import authmw

admins = authmw.require(roles="admin")


def audit(app: Any) -> set[tuple[str, tuple[str, ...]]]:
    return {(one.path, one.methods) for one in authmw.audit_routes(app)}


def nothing(*_arguments: Any, **_named: Any) -> None:
    """Check nothing by itself."""


class Items:
    @admins
    def on_get(self, _req: Any, _resp: Any) -> None:
        """Answer nothing."""

    def on_post(self, _req: Any, _resp: Any) -> None:
        """Answer nothing."""

    @admins
    def on_get_one(self, _req: Any, _resp: Any, number: int) -> None:
        """Answer nothing."""


class Plain:
    def on_get(self, _req: Any, _resp: Any) -> None:
        """Answer nothing."""


class BeforeOne:
    @falcon.after(nothing)
    @falcon.before(admins(nothing))
    @falcon.before(nothing)
    def on_get(self, _req: Any, _resp: Any) -> None:
        """Answer nothing."""

    @falcon.before(nothing)
    @admins
    def on_put(self, _req: Any, _resp: Any) -> None:
        """Answer nothing."""

    @falcon.before(nothing)
    def on_post(self, _req: Any, _resp: Any) -> None:
        """Answer nothing."""


@falcon.before(admins(nothing))
class BeforeAll(Plain):
    """Checked as a whole."""


def test_falcon(tmp_path: Any) -> None:
    app = falcon.App()
    app.add_route("/items", Items())
    app.add_route("/items/{number:int}", Items(), suffix="one")
    app.add_route("/before", BeforeOne())
    app.add_route("/all/of/it", BeforeAll())
    app.add_sink(nothing, "/sink")
    app.add_sink(admins(nothing), "/checked")
    app.add_static_route("/files", str(tmp_path))
    assert audit(app) == {
        ("/items", ("POST",)),
        ("/before", ("POST",)),
        ("a sink", ()),
        ("/files/", ("GET",)),
    }


def test_falcon_middleware() -> None:
    class Request:
        process_request = admins(nothing)

    class Resource:
        process_resource = admins(nothing)

    class Neither:
        process_request = nothing

    for component, expected in (
        (Request(), set()),
        (Resource(), {("a sink", ())}),
        (Neither(), {("/", ("GET",)), ("a sink", ())}),
    ):
        app = falcon.App(middleware=[component])
        app.add_route("/", Plain())
        app.add_sink(nothing, "/sink")
        assert audit(app) == expected


def test_falcon_of_asgi() -> None:
    async def check(*_arguments: Any, **_named: Any) -> None:
        """Check nothing by itself."""

    class Resource:
        @falcon.before(admins(check))
        async def on_get(self, _req: Any, _resp: Any) -> None:
            """Answer nothing."""

        @falcon.before(check)
        async def on_post(self, _req: Any, _resp: Any) -> None:
            """Answer nothing."""

    app = falcon.asgi.App()
    app.add_route("/", Resource())
    assert audit(app) == {("/", ("POST",))}


def pyramid_view(_request: Any) -> str:
    return "x"


class PyramidViews:
    def __init__(self, request: Any) -> None:
        self.request = request

    @admins
    def checked(self) -> str:
        return "x"

    def open(self) -> str:
        return "x"

    def __call__(self) -> str:
        return "x"


def skipping(_view: Any) -> Any:
    return lambda _context, _request: "remembered"


def make_pyramid(*, with_policy: bool = True, **settings: Any) -> Any:
    with Configurator(settings=settings) as config:
        if with_policy:
            config.include("authmw.pyramid")
        else:
            config.set_security_policy(AnotherPolicy())

        def add(name: str, view: Any, **more: Any) -> None:
            config.add_route(name, f"/{name}")
            config.add_view(view, route_name=name, renderer="string", **more)

        add("open", pyramid_view, request_method=("GET", "PUT"))
        add("checked", admins(pyramid_view))
        add("decorated", pyramid_view, decorator=admins)
        add("skipped", admins(pyramid_view), decorator=skipping)
        add("method", PyramidViews, attr="checked")
        add("other-method", PyramidViews, attr="open")
        add("class", PyramidViews)
        add("permission", pyramid_view, permission="add")
        add("everyone", pyramid_view, permission=NO_PERMISSION_REQUIRED)
        config.add_view(pyramid_view, name="traversed", renderer="string")
        config.add_exception_view(pyramid_view, context=ValueError, renderer="string")
        config.add_notfound_view(pyramid_view, renderer="string")
        if settings.get("default"):
            config.set_default_permission("add")
        return config.make_wsgi_app()


class AnotherPolicy:
    def permits(self, *_arguments: Any) -> bool:
        return True


def test_pyramid() -> None:
    found = audit(make_pyramid())
    assert found == {
        ("/open", ("GET", "PUT")),
        ("/skipped", ()),
        ("/other-method", ()),
        ("/class", ()),
        ("/everyone", ()),
        ("/traversed", ()),
    }
    assert audit(make_pyramid(default=True)) == {("/everyone", ())}
    other = {one.path: one.reason for one in authmw.audit_routes(make_pyramid(with_policy=False))}
    assert other["/permission"] == (
        "its permission 'add' is decided by tests.audit.test_falcon_pyramid.AnotherPolicy"
    )


def test_what_is_no_app_is_refused() -> None:
    for thing in (7, "app", audit):
        with pytest.raises(TypeError, match="hand audit_routes the app itself"):
            authmw.audit_routes(thing)

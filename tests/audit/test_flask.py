"""`authmw.audit_routes` of Flask apps."""

from __future__ import annotations

import functools
from typing import Any

import flask
import flask.views

import authmw
import authmw.flask
from authmw.testing import IdentityServer


def audit(app: Any) -> dict[tuple[str, tuple[str, ...]], str]:
    return {(one.path, one.methods): one.reason for one in authmw.audit_routes(app)}


def hello() -> str:
    return "hello"


admins = authmw.require(roles="admin")


def make_app() -> flask.Flask:
    return flask.Flask(__name__, static_folder=None)


def test_view_without_a_check_is_listed() -> None:
    app = make_app()
    app.add_url_rule("/open", view_func=hello, methods=["GET", "POST"])
    app.add_url_rule("/checked", "checked", view_func=admins(lambda: "x"))
    (route,) = authmw.audit_routes(app)
    assert str(route) == "GET,POST /open (tests.audit.test_flask.hello): no check stands before it"


def test_decorator_above_a_check_may_skip_it() -> None:
    def skipping(view: Any) -> Any:
        @functools.wraps(view)
        def remembered(*_arguments: Any, **_named: Any) -> Any:
            return "remembered"

        return remembered

    app = make_app()
    app.add_url_rule("/skipped", "skipped", view_func=skipping(admins(lambda: "x")))
    app.add_url_rule("/checked", "checked", view_func=admins(skipping(lambda: "x")))
    either = authmw.flask.optional(admins(lambda: "x"))
    app.add_url_rule("/either", "either", view_func=either)
    (reason,) = audit(app).values()
    assert reason.startswith("its check is below tests.audit.test_flask.test_decorator_above")
    assert reason.endswith("skipping.<locals>.remembered, which may answer without it")


def test_methods_of_one_class() -> None:
    class Items(flask.views.MethodView):
        @admins
        def post(self) -> str:
            return "x"

        def get(self) -> str:
            return "x"

        @admins
        def delete(self) -> str:
            return "x"

    class Decorated(Items):
        decorators = [admins]  # noqa: RUF012

    class Dispatched(Items):
        @admins
        def dispatch_request(self, **more: Any) -> Any:
            return super().dispatch_request(**more)

    class Redefined(Items):
        def delete(self) -> str:
            return "x"

    class Dispatching(Items):
        def dispatch_request(self, **_more: Any) -> Any:
            return "x"

    app = make_app()
    for kind in (Items, Decorated, Dispatched, Redefined, Dispatching):
        app.add_url_rule(f"/{kind.__name__}", view_func=kind.as_view(kind.__name__))
    assert set(audit(app)) == {
        ("/Items", ("GET",)),
        ("/Redefined", ("DELETE", "GET")),
        ("/Dispatching", ("DELETE", "GET", "POST")),
    }


def test_hooks_of_the_app_and_of_blueprints(server: IdentityServer) -> None:
    def add(part: Any, name: str) -> None:
        part.add_url_rule(f"/{name}", name, view_func=hello)

    auth = authmw.flask.Authmw(**server.service_credentials)
    inner = flask.Blueprint("inner", __name__)
    add(inner, "inner")
    checked = flask.Blueprint("checked", __name__)
    add(checked, "checked")
    auth.require_for(checked, roles="admin")
    checked.register_blueprint(inner)
    other = flask.Blueprint("other", __name__)
    other.before_request(lambda: None)
    add(other, "other")
    app = make_app()
    auth.init_app(app)
    app.register_blueprint(checked)
    app.register_blueprint(other)
    add(app, "own")
    assert set(audit(app)) == {("/other", ("GET",)), ("/own", ("GET",))}
    auth.require_for(app, roles="reader")
    assert audit(app) == {}


def test_app_may_be_behind_a_middleware(server: IdentityServer) -> None:
    app = make_app()
    app.add_url_rule("/open", view_func=hello)
    for protected in (
        authmw.protect(**server.service_credentials)(app),
        authmw.filter_factory({}, **server.service_credentials)(app),
    ):
        assert set(audit(protected)) == {("/open", ("GET",))}


def test_static_files_are_listed() -> None:
    assert set(audit(flask.Flask(__name__))) == {("/static/<path:filename>", ("GET",))}


def test_checks_in_the_middle_of_a_view_are_not_seen() -> None:
    def view() -> str:
        authmw.check(roles="admin")
        return "x"

    app = make_app()
    app.add_url_rule("/", view_func=view)
    assert set(audit(app)) == {("/", ("GET",))}

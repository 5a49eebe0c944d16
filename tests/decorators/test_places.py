"""`authmw.require` and `authmw.check` end the request wherever frameworks call code."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import flask
import pytest
from pyramid.config import Configurator
from pyramid.view import view_config
from webtest import TestApp

import authmw
from authmw.testing import IdentityServer
from tests.decorators.places import PLACES, Place, by_check, by_require
from tests.support.programs import run_python
from tests.support.protected import get
from tests.support.views import Decorator, WsgiApp, django_app, set_django_up

LISTED = "https://app.example.org"
every_place = pytest.mark.parametrize("make", PLACES, ids=lambda make: str(make.__name__))
both_ways = pytest.mark.parametrize("by", [by_require, by_check])
By = Callable[..., Decorator]


_made: list[authmw.AuthMiddleware] = []


@pytest.fixture(autouse=True)
def _filters_are_closed() -> Iterator[None]:
    """Frameworks keep exceptions, and with them frames and filters, for longer than a test."""
    yield
    while _made:
        _made.pop().close()


def protect(server: IdentityServer, app: WsgiApp) -> WsgiApp:
    options = {"delay_auth_decision": "true", "cors_allowed_origins": LISTED}
    made = authmw.filter_factory({}, **server.service_credentials, **options)(app)
    _made.append(made)
    return made


@every_place
@both_ways
def test_what_is_protected_happens_for_those_who_may_and_for_nobody_else(
    server: IdentityServer, make: Place, by: By
) -> None:
    done: list[str] = []
    app = protect(server, make(by(roles="admin"), lambda: done.append("done")))

    answer = get(app, server.issue("reader", project="inventory"), Origin=LISTED)
    assert (answer.status_int, done) == (403, [])
    assert (answer.content_type, answer.json["error"]["missing"]) == (
        "application/json",
        {"roles": ["admin"]},
    )
    assert int(answer.headers.get("Content-Length", len(answer.body))) == len(answer.body)
    assert answer.headers.getall("Access-Control-Allow-Origin") == [LISTED]

    answer = get(app)
    assert (answer.status_int, done) == (401, [])
    assert answer.json["error"]["code"] == 401
    assert answer.headers.getall("WWW-Authenticate") == [f'Keystone uri="{server.url}"']

    answer = get(app, server.issue("admin", project="inventory"))
    assert (answer.status_int in (200, 204), done) == (True, ["done"])


@pytest.mark.heavy
@pytest.mark.parametrize("framework", ["wsgi", "flask", "django", "rest", "falcon", "pyramid"])
def test_it_needs_no_other_framework_than_the_one_in_use(framework: str) -> None:
    """In this process they all are loaded; the exception raised is another in each case."""
    finished = run_python("-m", "tests.decorators.alone", framework, timeout=120)
    made = len([make for make in PLACES if make.__name__.startswith(framework)])
    assert finished.stdout.split() == ["401", "403"] * made


def registered_views() -> dict[str, Callable[[flask.Flask, Decorator], None]]:
    """Return what registers a function with Flask below `required`, by what it is called."""

    def view(app: flask.Flask, required: Decorator) -> None:
        @required
        @app.get("/")
        def hello() -> str:
            return "hello"

    def part(app: flask.Flask, required: Decorator) -> None:
        blueprint = flask.Blueprint("part", __name__)

        @required
        @blueprint.get("/")
        def hello() -> str:
            return "hello"

        app.register_blueprint(blueprint)

    def registered_part(app: flask.Flask, required: Decorator) -> None:
        blueprint = flask.Blueprint("part", __name__)
        blueprint.get("/")(hello := lambda: "hello")
        app.register_blueprint(blueprint)
        required(hello)

    def before_request(app: flask.Flask, required: Decorator) -> None:
        @required
        @app.before_request
        def check() -> None:
            pass

    def app_of_a_part(_app: flask.Flask, required: Decorator) -> None:
        blueprint = flask.Blueprint("part", __name__)

        @required
        @blueprint.before_app_request
        def check() -> None:
            pass

    def below_another_decorator(app: flask.Flask, required: Decorator) -> None:
        def log(view: Any) -> Any:
            @functools.wraps(view)
            def logged() -> Any:
                return view()

            return logged

        @required
        @log
        @app.get("/")
        def hello() -> str:
            return "hello"

    def kind_of_its_own(_app: flask.Flask, required: Decorator) -> None:
        class Service(flask.Flask):
            pass

        service = Service("service")

        @required
        @service.get("/")
        def hello() -> str:
            return "hello"

    places = (
        view,
        part,
        registered_part,
        before_request,
        app_of_a_part,
        below_another_decorator,
        kind_of_its_own,
    )
    return {make.__name__: make for make in places}


@pytest.mark.parametrize("make", registered_views().values(), ids=registered_views())
def test_require_above_a_route_is_refused_since_the_route_has_what_is_unprotected(
    make: Callable[[flask.Flask, Decorator], None],
) -> None:
    with pytest.raises(TypeError, match=r"is registered with Flask already, without @authmw\.req"):
        make(flask.Flask(__name__), authmw.require())


def test_require_above_a_route_of_pyramid_is_never_passed_by(server: IdentityServer) -> None:
    """The scan takes what the module's name stands for, or does not find the view."""

    def view(_request: Any) -> Any:
        pytest.fail("the view was run")

    module: Any = types.ModuleType(view.__module__)
    module.view = authmw.require(roles="admin")(view_config(route_name="hello")(view))
    with Configurator() as config:
        config.add_route("hello", "/")
        config.scan(module)
        app = config.make_wsgi_app()
    answer = get(protect(server, app), server.issue("reader", project="inventory"))
    assert answer.status_int in (403, 404)


def test_a_function_that_only_the_app_s_own_code_holds_is_no_registered_one() -> None:
    app = flask.Flask(__name__)

    def hello() -> str:
        return "hello"

    held = {"hello": hello}
    app.add_url_rule("/", view_func=authmw.require()(held["hello"]))
    assert get(app).status_int == 401


def test_a_static_method_is_refused_where_it_would_become_another_kind() -> None:
    with pytest.raises(TypeError, match=r"write @authmw.require below @staticmethod"):
        authmw.require()(staticmethod(lambda: None))


async def asgi(_scope: Any, _receive: Any, _send: Any) -> None:
    """Answer nothing."""


def test_an_asgi_app_is_refused_by_require_too() -> None:
    with pytest.raises(TypeError, match="is an ASGI app, and this speaks WSGI"):
        authmw.require()(asgi)


def test_an_answer_of_the_app_s_own_to_a_refusal_is_the_app_s(server: IdentityServer) -> None:
    def app(_environ: Any, start_response: Any) -> Any:
        try:
            authmw.check(roles="admin")
        except authmw.Refused:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"hidden"]
        return []

    answer = get(protect(server, app), server.issue("reader", project="inventory"), Origin=LISTED)
    assert (answer.status_int, answer.text) == (404, "hidden")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_handlers_of_a_framework_may_word_a_refusal_themselves(server: IdentityServer) -> None:
    app = flask.Flask(__name__)
    app.add_url_rule("/", view_func=authmw.require(roles="admin")(lambda: "hello"))
    app.register_error_handler(403, lambda error: (f"sorry: {error.description}", 403))
    answer = get(protect(server, app), server.issue("reader", project="inventory"))
    assert (answer.status_int, answer.text) == (
        403,
        "sorry: This takes the role admin.",
    )


def test_a_403_of_django_that_is_the_view_s_own_stays(server: IdentityServer) -> None:
    set_django_up()
    from django.http import HttpResponseForbidden

    def view(_request: Any) -> Any:
        try:
            authmw.check(roles="admin")
        except authmw.Refused:
            return HttpResponseForbidden("hidden")

    answer = get(protect(server, django_app(view)), server.issue("reader", project="inventory"))
    assert (answer.status_int, answer.text) == (403, "hidden")


def test_check_returns_the_token(server: IdentityServer) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        assert authmw.check(roles="reader") is environ["authmw.token"]
        start_response("200 OK", [])
        return []

    assert get(protect(server, app), server.issue("reader", project="inventory")).status_int == 200


def test_check_outside_of_a_request_refuses() -> None:
    with pytest.raises(authmw.Refused, match="401 Unauthorized"):
        authmw.check()


def test_a_head_request_is_refused_without_a_body(server: IdentityServer) -> None:
    app = protect(server, PLACES[0](authmw.require(roles="admin"), lambda: None))
    headers = {"X-Auth-Token": server.issue("reader", project="inventory")}
    answer = TestApp(app).head("/", headers=headers, status=403)
    assert answer.body == b""


def test_a_stream_that_is_on_its_way_ends_with_an_error_instead(server: IdentityServer) -> None:
    def app(_environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"some"
        authmw.check(roles="admin")
        yield b"more"

    with pytest.raises(authmw.Refused):
        serve(protect(server, app), server.issue("reader", project="inventory"))


class Page:
    """A body that knows whether it was closed."""

    def __init__(self, start: Callable[[], None]) -> None:
        self.start = start
        self.was_closed = False

    def __iter__(self) -> Iterator[bytes]:
        self.start()
        yield b"sorry"

    def close(self) -> None:
        self.was_closed = True


@pytest.mark.parametrize("when", ["at once", "late"])
def test_a_500_that_a_framework_makes_of_a_refusal_is_replaced_before_its_body_is_on_its_way(
    server: IdentityServer, when: str
) -> None:
    pages: list[Page] = []

    def app(_environ: Any, start_response: Any) -> Any:
        def start() -> None:
            if started:
                return
            started.append(True)
            write = start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            write(b"oh, so ")

        started: list[bool] = []
        try:
            authmw.check(roles="admin")
        except authmw.Refused:
            if when == "at once":
                start()
            pages.append(Page(start))
            return pages[-1]

    answer = get(protect(server, app), server.issue("reader", project="inventory"))
    assert pages[-1].was_closed
    assert (answer.status_int, answer.json["error"]["code"]) == (403, 403)


def serve(app: WsgiApp, token: str) -> None:
    """Do as a server does: headers go out with the first bytes, and not twice."""
    sent = False

    def start_response(_status: str, _headers: Any, exc_info: Any = None) -> Any:
        if exc_info is not None and sent:
            raise exc_info[1]

    environ: dict[str, Any] = {"HTTP_X_AUTH_TOKEN": token}
    setup_testing_defaults(environ)
    for chunk in app(environ, start_response):
        sent = sent or bool(chunk)

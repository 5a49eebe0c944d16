"""`authmw.flask`: the extension, blueprints, optional tokens, and error handlers."""

from __future__ import annotations

import functools
from typing import Any

import flask
import flask.views
import pytest
from werkzeug.exceptions import HTTPException

import authmw
import authmw.flask
from authmw.errors import ConfigurationError
from authmw.testing import IdentityServer


def who() -> dict[str, Any]:
    token = authmw.current()
    forged = flask.request.headers.get("X-Roles") == "forged"
    return {"user": None if token is None else token.user.name, "forged": forged}


@pytest.fixture
def member(server: IdentityServer) -> dict[str, str]:
    return {"X-Auth-Token": server.issue("member", project="inventory")}


@pytest.fixture
def app(server: IdentityServer) -> flask.Flask:
    app = flask.Flask(__name__)
    app.config["AUTHMW"] = server.service_credentials
    app.add_url_rule("/", view_func=who)
    return app


def test_init_app_protects_all_views(app: flask.Flask, member: dict[str, str]) -> None:
    authmw.flask.Authmw().init_app(app)
    client = app.test_client()
    assert client.get("/", headers=member).json == {"user": "member", "forged": False}
    assert client.get("/", headers={"X-Roles": "forged"}).status_code == 401
    assert client.get("/static/x", headers={"X-User-Id": "x"}).status_code == 401


def test_error_handlers_see_every_refusal(
    app: flask.Flask, server: IdentityServer, member: dict[str, str]
) -> None:
    app.add_url_rule("/admins", "admins", authmw.require(roles="admin")(lambda: who()))
    seen: list[Any] = []

    @app.errorhandler(authmw.Refused)
    def answer(refused: Any) -> Any:
        seen.append(refused)
        return {"sorry": refused.refusal.missing}, refused.refusal.status

    authmw.flask.Authmw(app)
    client = app.test_client()
    nobody = client.get("/")
    assert (nobody.status_code, nobody.json) == (401, {"sorry": ""})
    assert nobody.headers.getlist("WWW-Authenticate") == [f'Keystone uri="{server.url}"']
    weak = client.get("/admins", headers=member)
    assert (weak.status_code, weak.json) == (403, {"sorry": "the role admin"})
    server.stop()
    outage = client.get("/", headers={"X-Auth-Token": "gAAAAABunknown"})
    assert (outage.status_code, outage.json) == (503, {"sorry": ""})
    (seconds,) = outage.headers.getlist("Retry-After")
    assert int(seconds) > 0
    assert [one.code for one in seen] == [401, 403, 503]
    assert [one.refusal.unmet for one in seen] == [{}, {"roles": ["admin"]}, {}]


def test_retry_after_that_a_handler_chose_is_kept(app: flask.Flask, server: IdentityServer) -> None:
    app.register_error_handler(503, lambda _error: ("busy", 503, {"retry-after": "77"}))
    authmw.flask.Authmw(app)
    server.stop()
    answer = app.test_client().get("/", headers={"X-Auth-Token": "gAAAAABunknown"})
    assert answer.headers.getlist("Retry-After") == ["77"]


def test_pages_of_an_allowed_origin_may_read_a_503(
    app: flask.Flask, server: IdentityServer
) -> None:
    app.register_error_handler(503, lambda _error: ("busy", 503))
    authmw.flask.Authmw(app, cors_allowed_origins="https://app.example")
    server.stop()
    sent = {"X-Auth-Token": "gAAAAABunknown", "Origin": "https://app.example"}
    answer = app.test_client().get("/", headers=sent)
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["https://app.example"]


def test_generic_handler_of_http_exceptions_has_the_message(
    app: flask.Flask, server: IdentityServer, member: dict[str, str]
) -> None:
    """As in Flask's documentation, "Generic Exception Handlers"."""
    app.add_url_rule("/admins", "admins", authmw.require(roles="admin")(lambda: who()))

    @app.errorhandler(HTTPException)
    def answer(error: HTTPException) -> Any:
        return {
            "code": error.code,
            "name": error.name,
            "description": error.description,
        }, error.code

    authmw.flask.Authmw(app)
    client = app.test_client()
    assert client.get("/").json == {
        "code": 401,
        "name": "Unauthorized",
        "description": "The request you have made requires authentication.",
    }
    weak = client.get("/admins", headers=member)
    assert weak.json is not None
    assert weak.json["description"] == "This takes the role admin."
    server.stop()
    outage = client.get("/", headers={"X-Auth-Token": "gAAAAABunknown"})
    assert outage.json is not None
    assert outage.json["description"].startswith("The identity service can't be asked now")


@pytest.mark.parametrize("status", [401, 503])
def test_error_handlers_by_status(app: flask.Flask, server: IdentityServer, status: int) -> None:
    app.register_error_handler(status, lambda error: (f"custom {error.code}", error.code))
    authmw.flask.Authmw(app)
    if status == 503:
        server.stop()
    answer = app.test_client().get("/", headers={"X-Auth-Token": "gAAAAABunknown"})
    assert (answer.status_code, answer.text) == (status, f"custom {status}")


def test_without_handlers_the_answer_is_the_middleware_s(
    app: flask.Flask, server: IdentityServer
) -> None:
    authmw.flask.Authmw(app)
    client = app.test_client()
    answer = client.get("/")
    assert answer.json == {
        "error": {
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        }
    }
    assert client.head("/").data == b""
    server.stop()
    outage = client.get("/", headers={"X-Auth-Token": "gAAAAABunknown"})
    assert int(outage.headers["Retry-After"]) > 0
    assert outage.json is not None
    assert outage.json["error"]["title"] == "Service Unavailable"


def test_nothing_of_the_app_runs_for_a_rejected_request(app: flask.Flask) -> None:
    @app.before_request
    def before() -> str:
        pytest.fail("before_request ran")

    @app.url_value_preprocessor
    def load(_endpoint: Any, _values: Any) -> None:
        pytest.fail("a preprocessor ran")

    authmw.flask.Authmw(app)
    assert app.test_client().get("/").status_code == 401


def test_answer_that_comes_before_the_refusal_is_not_used(app: flask.Flask) -> None:
    """A WSGI middleware within, as a cache, answers by itself."""
    inner = app.wsgi_app

    def cache(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/cached":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"secret"]
        return inner(environ, start_response)

    app.wsgi_app = cache  # type: ignore[method-assign]
    authmw.flask.Authmw(app)
    answer = app.test_client().get("/cached")
    assert (answer.status_code, b"secret" in answer.data) == (401, False)


def test_handler_that_fails_lets_nobody_in(app: flask.Flask) -> None:
    @app.errorhandler(authmw.Refused)
    def answer(_refused: Any) -> Any:
        raise ZeroDivisionError

    authmw.flask.Authmw(app)
    app.testing = False
    answer_ = app.test_client().get("/")
    assert (answer_.status_code, answer_.json["error"]["code"]) == (401, 401)  # type: ignore[index]


def test_view_with_an_optional_token(
    app: flask.Flask, server: IdentityServer, member: dict[str, str]
) -> None:
    def logged(view: Any) -> Any:
        return functools.wraps(view)(lambda: view())

    class Items(flask.views.MethodView):
        decorators = [authmw.flask.optional]  # noqa: RUF012

        def get(self) -> Any:
            return who()

    async def asynchronous() -> Any:
        return who()

    def needed() -> Any:
        return who()

    app.add_url_rule("/any", "any", authmw.flask.optional(needed))
    app.add_url_rule("/needed", "needed", needed)
    app.add_url_rule("/async", "async", authmw.flask.optional(asynchronous))
    app.add_url_rule("/below", "below", logged(authmw.flask.optional(lambda: who())))
    app.add_url_rule("/class", view_func=Items.as_view("class"))
    admins = authmw.require(roles="admin")
    app.add_url_rule("/admins", "admins", authmw.flask.optional(admins(lambda: who())))
    authmw.flask.Authmw(app)
    client = app.test_client()
    for path in ("/any", "/async", "/below", "/class"):
        assert client.get(path).json == {"user": None, "forged": False}
        assert client.get(path, headers={"X-Roles": "forged"}).json["forged"] is False  # type: ignore[index]
        assert client.get(path, headers=member).json == {"user": "member", "forged": False}
        assert client.get(path, headers={"X-Auth-Token": "junk"}).status_code == 401
    assert client.get("/needed").status_code == 401
    assert client.get("/admins").status_code == 401
    server.stop()
    unknown = {"X-Auth-Token": "gAAAAABunknown"}
    assert client.get("/any", headers=unknown).status_code == 503


def test_optional_view_behind_a_service_token_that_is_refused(
    app: flask.Flask, server: IdentityServer
) -> None:
    app.add_url_rule("/any", "any", authmw.flask.optional(lambda: who()))
    authmw.flask.Authmw(app)
    client = app.test_client()
    assert client.get("/any", headers={"X-Service-Token": "junk"}).status_code == 401


def test_blueprint_wide_requirement(
    app: flask.Flask, server: IdentityServer, member: dict[str, str]
) -> None:
    auth = authmw.flask.Authmw()
    admins = flask.Blueprint("admins", __name__, url_prefix="/admins")
    admins.add_url_rule("/", view_func=who)
    auth.require_for(admins, roles="admin", scope="project")
    auth.init_app(app)
    app.register_blueprint(admins)
    client = app.test_client()
    assert client.get("/", headers=member).status_code == 200
    answer = client.get("/admins/", headers=member)
    assert answer.json is not None
    assert (answer.status_code, answer.json["error"]["missing"]) == (403, {"roles": ["admin"]})
    admin = {"X-Auth-Token": server.issue("admin", project="inventory")}
    assert client.get("/admins/", headers=admin).status_code == 200
    with pytest.raises(ValueError, match="does not exist"):
        auth.require_for(app, scope="galaxy")  # type: ignore[arg-type]


def test_wrong_configuration_stops_the_start(app: flask.Flask) -> None:
    with pytest.raises(ConfigurationError, match=r"config_file = '/nowhere.conf'"):
        authmw.flask.Authmw(flask.Flask(__name__), config_file="/nowhere.conf")
    authmw.flask.Authmw(app)
    with pytest.raises(TypeError, match="call init_app once for each app"):
        authmw.flask.Authmw(app)


def test_misspelt_option_stops_the_start(app: flask.Flask) -> None:
    with pytest.raises(TypeError, match="'token_validaton' of authmw: did you mean 'token_vali"):
        authmw.flask.Authmw(token_validaton="x")
    app.config["AUTHMW"]["pasword"] = "secret"
    with pytest.raises(TypeError, match="did you mean 'password'"):
        authmw.flask.Authmw(app)


def test_optional_in_vain_is_an_error(app: flask.Flask, server: IdentityServer) -> None:
    with pytest.raises(TypeError, match=r"without @authmw\.flask\.optional: write it below @app"):

        @authmw.flask.optional
        @app.get("/above")
        def above() -> Any:
            return who()

    app.add_url_rule("/any", "any", authmw.flask.optional(lambda: who()))
    protector = authmw.protect(**server.service_credentials)
    for unprotected in (app.wsgi_app, app):
        with pytest.raises(TypeError, match=r"view 'any' .* by authmw\.flask\.Authmw\(app"):
            protector(unprotected)


def test_one_extension_for_several_apps(server: IdentityServer, member: dict[str, str]) -> None:
    auth = authmw.flask.Authmw(**server.service_credentials)
    for _ in range(2):
        app = flask.Flask(__name__)
        app.add_url_rule("/", view_func=who)
        auth.init_app(app)
        assert app.test_client().get("/", headers=member).status_code == 200
    assert server.calls["validate"] == 1, "they share one filter"


def test_streamed_answer_knows_its_token(app: flask.Flask, member: dict[str, str]) -> None:
    def stream() -> Any:
        for _ in range(2):
            token = authmw.current()
            yield "nobody" if token is None else token.user.name

    app.add_url_rule("/stream", "stream", lambda: flask.Response(stream()))
    authmw.flask.Authmw(app)
    assert app.test_client().get("/stream", headers=member).text == "membermember"
    assert authmw.current() is None

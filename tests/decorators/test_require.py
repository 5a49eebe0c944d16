"""`authmw.require` over WSGI callables and the views of four frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

import authmw
from authmw.testing import Fault, IdentityServer
from tests.support.programs import run_python
from tests.support.protected import get
from tests.support.views import APPS, HELLO, WsgiApp, wsgi_function


def protect(server: IdentityServer, app: WsgiApp, **options: Any) -> WsgiApp:
    return authmw.filter_factory({}, **server.service_credentials, **options)(app)


every_framework = pytest.mark.parametrize("make", APPS, ids=lambda make: str(make.__name__))
Make = Callable[[Any], WsgiApp]


@every_framework
def test_a_view_runs_for_a_token_that_has_what_it_needs(server: IdentityServer, make: Make) -> None:
    app = protect(server, make(authmw.require(roles="member", scope="project")))
    answer = get(app, server.issue("member", project="inventory"))
    assert (answer.status_int, answer.text) == (200, HELLO)


@every_framework
def test_a_token_that_lacks_something_gets_403_and_is_told_what(
    server: IdentityServer, make: Make
) -> None:
    app = protect(server, make(authmw.require(roles={"member", "admin"}, scope="project")))
    answer = get(app, server.issue("reader", system=True))
    assert (answer.status_int, answer.content_type) == (403, "application/json")
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert answer.json == {
        "error": {
            "code": 403,
            "title": "Forbidden",
            "message": "This takes one of the roles admin, member and a token scoped to a project.",
            "missing": {"roles": ["admin", "member"], "scope": ["project"]},
        }
    }


@every_framework
def test_a_request_without_a_valid_token_gets_401_and_learns_where_to_authenticate(
    server: IdentityServer, make: Make
) -> None:
    app = protect(server, make(authmw.require()), delay_auth_decision="true")
    for token in (None, "garbage"):
        answer = get(app, token)
        assert (answer.status_int, answer.content_type) == (401, "application/json")
        assert answer.headers.getall("WWW-Authenticate") == [f'Keystone uri="{server.url}"']
        assert answer.json["error"]["code"] == 401


@every_framework
def test_a_token_that_nobody_could_validate_gets_503_and_is_to_come_again(
    server: IdentityServer, make: Make
) -> None:
    """Where the app decides, too: what can't be decided is no 401, on which clients log in anew."""
    app = protect(server, make(authmw.require()), delay_auth_decision="true")
    token = server.issue("member", project="inventory")
    server.stop()
    answer = get(app, token)
    assert (answer.status_int, answer.content_type) == (503, "application/json")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json["error"]["code"] == 503
    assert "WWW-Authenticate" not in answer.headers
    assert get(app).status_int == 401


def test_an_expired_token_is_undecided_if_the_service_s_could_not_be_validated(
    server: IdentityServer,
) -> None:
    """With a valid service token it might have been accepted."""
    app = protect(
        server, wsgi_function(authmw.require()), delay_auth_decision="true", service_token_roles="s"
    )
    expired = server.issue("member", project="inventory", expires_in=-5)
    assert get(app, expired).status_int == 401
    with server.failing(Fault.ERROR_503):
        assert get(app, expired, X_Service_Token="not seen before").status_int == 503


def test_an_app_can_tell_an_outage_from_a_refused_token(server: IdentityServer) -> None:
    told: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        told.append((environ["HTTP_X_IDENTITY_STATUS"], environ.get("authmw.undecided")))
        start_response("200 OK", [])
        return []

    protected = protect(server, app, delay_auth_decision="true")
    token = server.issue("member", project="inventory")
    get(protected, "garbage")
    server.stop()
    get(protected, token)
    get(protected)
    (_, refused), (_, undecided), (_, missing) = told
    assert {status for status, _ in told} == {"Invalid"}
    assert (refused, missing) == (None, None)
    assert (undecided.status, undecided.retry_after > 0) == (503, True)


@every_framework
def test_without_a_middleware_in_front_everyone_is_refused_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture, make: Make
) -> None:
    app = make(authmw.require())
    if make.__name__.startswith("wsgi"):
        # Nobody is there to catch it but the server.
        with pytest.raises(authmw.Refused, match="401 Unauthorized"):
            get(app, "token")
    elif make.__name__.startswith("django"):
        assert get(app, "token").status_int == 403  # Django has no exception that is a 401
    else:
        answer = get(app, "token")
        assert (answer.status_int, answer.headers["WWW-Authenticate"]) == (401, "Keystone")
    assert "came past no authmw middleware" in caplog.text


ANY: dict[str, Any] = {}
MEMBER = {"user": "member", "project": "inventory"}
ADMIN = {"user": "admin", "project": "inventory"}
ON_DOMAIN = {"user": "admin", "domain": "default"}
ON_SYSTEM = {"user": "admin", "system": True}
UNSCOPED = {"user": "member"}
WITH_TOTP = {**MEMBER, "methods": ("password", "totp")}

# What is required, the token, and what of it is missing.
RULES: tuple[tuple[dict[str, Any], dict[str, Any], dict[str, Any]], ...] = (
    ({}, UNSCOPED, {}),
    ({"roles": "member"}, MEMBER, {}),
    ({"roles": "member"}, ADMIN, {}),
    ({"roles": "admin"}, MEMBER, {"roles": ["admin"]}),
    ({"roles": ["admin", "reader"]}, MEMBER, {}),
    ({"roles": "reader"}, UNSCOPED, {"roles": ["reader"]}),
    ({"roles": "Member"}, MEMBER, {"roles": ["Member"]}),
    ({"scope": "project"}, MEMBER, {}),
    ({"scope": "domain"}, MEMBER, {"scope": ["domain"]}),
    ({"scope": "system"}, ON_SYSTEM, {}),
    ({"scope": "domain"}, ON_DOMAIN, {}),
    ({"scope": "project"}, ON_DOMAIN, {"scope": ["project"]}),
    ({"scope": ("system", "project")}, MEMBER, {}),
    ({"scope": ("system", "project")}, ON_DOMAIN, {"scope": ["project", "system"]}),
    ({"scope": "project"}, UNSCOPED, {"scope": ["project"]}),
    ({"admin_project": True}, ADMIN, {}),
    ({"admin_project": True}, {**MEMBER, "project": "billing"}, {"admin_project": True}),
    ({"admin_project": True}, ON_SYSTEM, {"admin_project": True}),
    ({"methods": "password"}, MEMBER, {}),
    ({"methods": ("password", "totp")}, WITH_TOTP, {}),
    ({"methods": ("password", "totp")}, MEMBER, {"methods": ["totp"]}),
    (
        {"roles": "admin", "scope": "system", "methods": "totp"},
        MEMBER,
        {"roles": ["admin"], "scope": ["system"], "methods": ["totp"]},
    ),
)


@pytest.mark.parametrize(("required", "wanted", "missing"), RULES)
def test_each_requirement_meets_the_tokens_it_should(
    server: IdentityServer, required: Any, wanted: Any, missing: Any
) -> None:
    server.admin_project = ("inventory", "Default")
    app = protect(server, wsgi_function(authmw.require(**required)))
    answer = get(app, server.issue(**wanted))
    if missing:
        assert (answer.status_int, answer.json["error"]["missing"]) == (403, missing)
    else:
        assert answer.status_int == 200


def test_where_no_admin_project_is_named_every_project_counts(server: IdentityServer) -> None:
    app = protect(server, wsgi_function(authmw.require(admin_project=True)))
    assert get(app, server.issue("member", project="billing")).status_int == 200


@pytest.mark.parametrize(
    ("required", "message"),
    [
        ({"scope": "galaxy"}, "scope 'galaxy' does not exist: write 'system', 'domain' or"),
        ({"roles": ()}, "roles names nothing: leave it out"),
        ({"methods": ""}, "methods names nothing: leave it out"),
    ],
)
def test_a_requirement_nobody_could_meet_is_refused_when_it_is_written(
    required: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        authmw.require(**required)


def test_require_above_protect_is_refused_since_it_would_see_no_token() -> None:
    def app(_environ: Any, _start_response: Any) -> Iterable[bytes]:
        return []

    with pytest.raises(TypeError, match=r"write @authmw.require below @authmw.protect"):
        authmw.require()(authmw.protect(app))


@pytest.mark.parametrize("thing", [7, "view", classmethod(lambda _: None), property()])
def test_what_is_no_view_is_refused_when_it_is_decorated(thing: Any) -> None:
    with pytest.raises(TypeError, match="is no view: it can't be called"):
        authmw.require()(thing)


def test_require_below_protect_needs_nothing_else(server: IdentityServer) -> None:
    @authmw.protect(**server.service_credentials)
    @authmw.require(roles="member")
    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b""]

    assert get(app).status_int == 401
    assert get(app, server.issue("reader", project="inventory")).status_int == 403
    assert get(app, server.issue("member", project="inventory")).status_int == 200
    assert app.__name__ == "app"


def test_a_view_nobody_known_calls_is_not_run(server: IdentityServer) -> None:
    @authmw.require(roles="nobody")
    def view(_request: object) -> None:
        pytest.fail("the view was run")

    def app(_environ: Any, _start_response: Any) -> Iterable[bytes]:
        view(object())
        return []

    answer = get(protect(server, app), server.issue("member", project="inventory"))
    assert (answer.status_int, answer.json["error"]["missing"]) == (403, {"roles": ["nobody"]})


@pytest.mark.heavy
def test_no_framework_is_imported_for_the_decorators() -> None:
    program = (
        "import sys, authmw\n"
        "authmw.protect, authmw.require, authmw.current, authmw.audit_routes\n"
        "import authmw.django\n"
        "others = {'flask', 'django', 'rest_framework', 'falcon', 'pyramid', 'webob'}\n"
        "print(others & sys.modules.keys())\n"
    )
    finished = run_python("-c", program)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "set()\n", "")

"""`authmw.pyramid`: exception views see every refusal, and permissions are requirements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyramid.config import Configurator
from pyramid.response import Response

import authmw
import authmw.pyramid
from authmw.errors import ConfigurationError
from authmw.testing import IdentityServer
from tests.support.protected import get


@pytest.fixture
def member(server: IdentityServer) -> str:
    return server.issue("member", project="inventory")


def make_pyramid(
    server: IdentityServer, set_up: Callable[[Any], None] = lambda _config: None, **settings: Any
) -> Any:
    with Configurator(settings=settings) as config:
        config.include("authmw.pyramid")
        for name, more in (
            ("open", {}),
            ("add", {"permission": "add"}),
            ("x", {"permission": "y"}),
        ):
            config.add_route(name, f"/{name}")
            config.add_view(_view, route_name=name, **more)
        set_up(config)
        app = config.make_wsgi_app()
    return authmw.pyramid.protect(app, **server.service_credentials)


def _view(request: Any) -> Response:
    may = [name for name in ("add", "y") if request.has_permission(name)]
    return Response(f"{request.authenticated_userid} {request.identity.user.name} {may}")


PERMISSIONS = {"add": {"roles": "member", "scope": "project"}}
AS_JSON = '{"add": {"roles": "member", "scope": "project"}}'


@pytest.mark.parametrize("permissions", [PERMISSIONS, AS_JSON])
def test_pyramid_s_permissions_are_requirements(
    server: IdentityServer, member: str, permissions: Any
) -> None:
    app = make_pyramid(server, **{"authmw.permissions": permissions})
    user_id = server.directory.user("member").id
    assert get(app, member, "/add").text == f"{user_id} member ['add']"
    reader = server.issue("reader", project="inventory")
    assert get(app, reader, "/open").status_int == 200
    answer = get(app, reader, "/add")
    assert (answer.status_int, answer.json["error"]["missing"]) == (403, {"roles": ["member"]})
    assert get(app, member, "/x").status_int == 403, "a permission that is not listed"
    assert get(app, None, "/add").status_int == 401


def test_pyramid_s_permission_without_a_token_is_a_401(server: IdentityServer) -> None:
    with Configurator(settings={"authmw.permissions": PERMISSIONS}) as config:
        config.include("authmw.pyramid")
        config.add_route("add", "/")
        config.add_view(_view, route_name="add", permission="add")
        inner = config.make_wsgi_app()
    options = {**server.service_credentials, "delay_auth_decision": "true"}
    answer = get(authmw.filter_factory({}, **options)(inner))
    assert (answer.status_int, answer.json["error"]["code"]) == (401, 401)
    assert answer.headers.getall("WWW-Authenticate") == [f'Keystone uri="{server.url}"']


def test_pyramid_s_exception_views_see_every_refusal(server: IdentityServer, member: str) -> None:
    def answer(refused: Any, _request: Any) -> Response:
        return Response("sorry", status=refused.refusal.status)

    app = make_pyramid(
        server,
        lambda config: config.add_exception_view(answer, context=authmw.Refused),
        **{"authmw.permissions": PERMISSIONS},
    )
    reader = server.issue("reader", project="inventory")
    for token, path, status in ((None, "/open", 401), (reader, "/add", 403)):
        response = get(app, token, path)
        assert (response.status_int, response.text) == (status, "sorry")
    server.stop()
    assert get(app, "gAAAAABunknown", "/open").status_int == 503


@pytest.mark.parametrize(
    ("permissions", "message"),
    [
        ("{", "write a JSON object"),
        ("[]", "write a mapping"),
        ({"add": {"role": "x"}}, "'role' is no argument of authmw.require"),
    ],
)
def test_wrong_permissions_stop_the_start(
    server: IdentityServer, permissions: Any, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_pyramid(server, **{"authmw.permissions": permissions})

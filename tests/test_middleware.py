"""AuthProtocol as services use it: called, subclassed, given their own configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import pytest
from oslo_config import cfg

import authmw
import authmw.config.options
import authmw.opts
from authmw.errors import InvalidToken, Reason
from authmw.rejection import Rejection
from authmw.testing import IdentityServer
from authmw.token import Token
from tests.support.protected import Embed


def test_the_peer_s_names_are_there() -> None:
    assert authmw.AuthProtocol is authmw.AuthMiddleware
    assert authmw.list_opts is authmw.config.options.list_opts is authmw.opts.list_auth_token_opts
    assert authmw.list_opts()[0][0] == "keystone_authtoken"


def test_a_subclass_that_overrides_call_decides_for_itself_what_is_public(
    embed: Embed, server: IdentityServer
) -> None:
    class AuthTokenMiddleware(authmw.AuthProtocol):
        def __init__(self, app: Any, conf: Any, public_api_routes: Iterable[str] = ("/",)) -> None:
            self.public_api_routes = set(public_api_routes)
            super().__init__(app, conf)

        def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environ["is_public_api"] = environ.get("PATH_INFO") in self.public_api_routes
            if environ["is_public_api"]:
                return self._app(environ, start_response)
            return super().__call__(environ, start_response)

    protected = embed(AuthTokenMiddleware)
    assert protected.get(path="/").status_int == 200
    assert protected.get(path="/v1").status_int == 401
    assert protected.get(server.issue(project="inventory"), "/v1").status_int == 200


def test_is_open_lets_a_request_through_and_nothing_it_claims(
    embed: Embed, server: IdentityServer
) -> None:
    class Open(authmw.AuthProtocol):
        def is_open(self, environ: dict[str, Any]) -> bool:
            return environ["PATH_INFO"] == "/version" or "HTTP_X_ROLES" in environ

    protected = embed(Open)
    forged = {"X-Roles": "admin", "X-User-Id": "root"}
    assert protected.get("garbage", "/version", headers=forged).status_int == 200
    seen = protected.service.last
    assert seen["HTTP_X_IDENTITY_STATUS"] == "Invalid"
    assert "HTTP_X_ROLES" not in seen
    assert "HTTP_X_USER_ID" not in seen
    assert seen["keystone.token_auth"].has_user_token is False
    assert protected.get(path="/v1", headers=forged).status_int == 401, "forged headers don't open"
    assert server.calls["validate"] == 0


def test_on_authenticated_sees_the_token_and_may_add_to_the_environ(
    embed: Embed, server: IdentityServer
) -> None:
    class Watching(authmw.AuthProtocol):
        def on_authenticated(self, environ: dict[str, Any], token: Token) -> None:
            assert environ["HTTP_X_USER_ID"] == token.user.id
            environ["billing.project"] = token.principal.project_id

    protected = embed(Watching, delay_auth_decision="true")
    protected.get(server.issue(project="inventory"))
    assert protected.service.last["billing.project"] == server.directory.project("inventory").id
    protected.get("garbage")
    assert "billing.project" not in protected.service.last


@pytest.mark.parametrize("delay", ["false", "true"])
def test_on_authenticated_may_refuse_the_token(
    embed: Embed, server: IdentityServer, delay: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Picky(authmw.AuthProtocol):
        def on_authenticated(self, environ: dict[str, Any], token: Token) -> None:
            if "admin" not in token.principal.role_names:
                raise InvalidToken(Reason.SERVICE_ROLE, "admins only")

    caplog.set_level("INFO", "authmw")
    protected = embed(Picky, delay_auth_decision=delay)
    assert protected.get(server.issue("admin", project="inventory")).status_int == 200
    protected.service.seen.clear()
    response = protected.get(server.issue("member", project="inventory"))
    assert "is not acceptable: service_role: admins only" in caplog.text
    if delay == "false":
        assert (response.status_int, protected.service.seen) == (401, [])
        return
    seen = protected.service.last
    assert seen["HTTP_X_IDENTITY_STATUS"] == "Invalid"
    assert "HTTP_X_USER_ID" not in seen
    assert seen["keystone.token_auth"].user is None
    assert "authmw.token" not in seen


def test_a_fault_in_a_hook_lets_no_request_through(embed: Embed, server: IdentityServer) -> None:
    class Broken(authmw.AuthProtocol):
        def on_authenticated(self, environ: dict[str, Any], token: Token) -> None:
            raise ZeroDivisionError

    protected = embed(Broken)
    with pytest.raises(ZeroDivisionError):
        protected.get(server.issue(project="inventory"))
    assert protected.service.seen == []


def test_reject_is_told_the_status_and_answers_as_it_likes(
    embed: Embed, server: IdentityServer
) -> None:
    class Polite(authmw.AuthProtocol):
        def reject(
            self, environ: dict[str, Any], start_response: Any, rejection: Rejection
        ) -> Iterable[bytes]:
            if rejection.status == 503:
                return super().reject(environ, start_response, rejection)
            start_response("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"sorry"]

    protected = embed(Polite)
    assert protected.get("garbage").text == "sorry"
    server.stop()
    response = protected.get("gAAAA-unknown")
    assert (response.status_int, response.json["error"]["code"]) == (503, 503)


def test_a_service_may_hand_over_its_whole_default_section(
    embed: Embed, server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    default = {"bind_host": "0.0.0.0", "bind_port": "9292", "debug": "true", "workers": "4"}
    caplog.set_level(logging.INFO)
    protected = embed(**default, __file__="/etc/x.ini", here="/etc")
    assert protected.get(server.issue(project="inventory")).status_int == 200
    assert "Options not known to authmw, ignored: bind_host, bind_port, debug, workers" in (
        caplog.text
    )


def test_a_service_may_hand_over_its_section_as_a_mapping(
    embed: Embed, server: IdentityServer
) -> None:
    conf = cfg.ConfigOpts()
    for group, options in authmw.list_opts():
        conf.register_opts(options, group=group)
    section = {**conf.keystone_authtoken, **server.service_credentials}
    assert embed(**section).get(server.issue(project="inventory")).status_int == 200


def test_a_service_may_have_its_cache_in_the_environ(embed: Embed, server: IdentityServer) -> None:
    class TextCache(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().get(key, default)

        def set(self, key: str, value: str, **_named: Any) -> None:
            assert isinstance(value, str)
            self[key] = value

    cache = TextCache()
    token = server.issue(project="inventory")
    for _ in range(2):
        protected = embed(cache="swift.cache")
        response = protected.get(token, extra_environ={"swift.cache": cache})
        assert response.status_int == 200
    assert (len(cache), server.calls["validate"]) == (1, 1)
    assert token not in repr(cache)

"""Filters in a row, reused environs and hooks leave nothing that a later filter would trust."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import authmw
from authmw.errors import InvalidToken, Reason
from authmw.middleware import AuthMiddleware, WsgiApp
from authmw.rejection import Rejection
from authmw.testing import IdentityServer
from authmw.token.headers import RESERVED_KEYS
from tests.system.attacks.conftest import Aim, Target

Headers = list[tuple[str, str]]


def converse(app: WsgiApp, environ: dict[str, Any]) -> tuple[str, Headers]:
    """Send a request and return status and headers, repeated ones too."""
    begun: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, _exc_info: object = None) -> Any:
        begun.append((status, headers))

    for _ in app(environ, start_response):
        pass
    return begun[-1]


def make_environ(**more: str) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", **more}


ORIGIN = "https://app.example.org"


@authmw.require(roles="nobody-has-it")
def refusing_view(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    raise AssertionError("it was let in")


def test_refusal_behind_two_filters_names_its_origin_once(aim: Aim, server: IdentityServer) -> None:
    """Browsers take an answer with two Access-Control-Allow-Origin for none."""
    inner, outer = (aim(cors_allowed_origins=ORIGIN).middleware for _ in range(2))
    assert isinstance(inner, AuthMiddleware)
    assert isinstance(outer, AuthMiddleware)
    inner._app, outer._app = refusing_view, inner
    environ = make_environ(
        HTTP_ORIGIN=ORIGIN, HTTP_X_AUTH_TOKEN=server.issue("member", project="inventory")
    )
    status, headers = converse(outer, environ)
    named = [value for name, value in headers if name == "Access-Control-Allow-Origin"]
    assert (status, named) == ("403 Forbidden", [ORIGIN])


def test_refusal_of_one_view_says_nothing_of_the_next(aim: Aim, server: IdentityServer) -> None:
    """An app that tries one view after the other: the second refusal is the app's own."""

    def cascade(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/first":
            return refusing_view(environ, start_response)
        start_response("404 Not Found", [])
        return []

    middleware = aim(cors_allowed_origins=ORIGIN).middleware
    assert isinstance(middleware, AuthMiddleware)
    middleware._app = cascade
    environ = make_environ(
        HTTP_ORIGIN=ORIGIN,
        HTTP_X_AUTH_TOKEN=server.issue("member", project="inventory"),
        PATH_INFO="/first",
    )
    assert converse(middleware, environ)[0] == "403 Forbidden"
    environ["PATH_INFO"] = "/second"
    assert converse(middleware, environ) == ("404 Not Found", [])


def roles_seen(target: Target) -> tuple[str, str | None]:
    seen = target.seen[-1]
    return seen["HTTP_X_IDENTITY_STATUS"], seen.get("HTTP_X_ROLES")


def test_sub_request_with_another_bearer_is_judged_by_its_own_token(
    aim: Aim, server: IdentityServer
) -> None:
    """We copy a bearer token to X-Auth-Token; what we copied must not outlive its origin."""
    target = aim(accept_bearer="true", delay_auth_decision="true")

    def bearer(role: str) -> str:
        return "Bearer " + server.issue(role, project="inventory")

    target.attack(HTTP_AUTHORIZATION=bearer("admin"))
    copied = dict(target.seen[-1])
    assert "admin" in copied["HTTP_X_ROLES"]
    target.attack(copied, HTTP_AUTHORIZATION=bearer("reader"))
    assert roles_seen(target) == ("Confirmed", "reader")
    target.attack(copied, HTTP_AUTHORIZATION="Bearer made-up")
    assert roles_seen(target) == ("Invalid", None)
    copied.pop("HTTP_AUTHORIZATION")
    target.attack(copied)
    assert roles_seen(target) == ("Invalid", None)
    assert "HTTP_X_AUTH_TOKEN" not in target.seen[-1]


def test_bearer_token_reaches_a_filter_further_in(aim: Aim, server: IdentityServer) -> None:
    """Whether that one accepts bearer tokens or not; and a token the app put there is its own."""
    outer = aim(accept_bearer="true")
    token = server.issue("reader", project="inventory")
    for options in ({}, {"accept_bearer": "true"}):
        inner = aim(**options)
        assert isinstance(outer.middleware, AuthMiddleware)
        outer.middleware._app = inner.middleware
        assert outer.attack(HTTP_AUTHORIZATION="Bearer " + token).status == 200
        assert roles_seen(inner) == ("Confirmed", "reader")
        assert inner.seen[-1]["HTTP_X_AUTH_TOKEN"] == token
        copied = dict(inner.seen[-1])
        inner.attack(copied, HTTP_X_AUTH_TOKEN=server.issue("member", project="inventory"))
        assert "member" in (roles_seen(inner)[1] or "")


class Picky(AuthMiddleware):
    """Refuses every user token, and keeps what it is asked to answer."""

    rejected: dict[str, Any]

    def on_authenticated(self, environ: dict[str, Any], token: authmw.Token) -> None:
        raise InvalidToken(Reason.SERVICE_ROLE, "nobody")

    def reject(
        self, environ: dict[str, Any], start_response: Callable[..., Any], rejection: Rejection
    ) -> Iterable[bytes]:
        self.rejected = dict(environ)
        return super().reject(environ, start_response, rejection)


@pytest.fixture
def make_picky(aim: Aim) -> Callable[..., tuple[Picky, Target]]:
    def make(**options: str) -> tuple[Picky, Target]:
        target = aim(**options)
        assert isinstance(target.middleware, AuthMiddleware)
        picky = target.middleware = Picky.from_parts(target, target.middleware._parts)
        return picky, target

    return make


def test_who_answers_for_a_hook_s_refusal_is_told_of_no_user(
    make_picky: Callable[..., tuple[Picky, Target]], server: IdentityServer
) -> None:
    """`reject` may hand the request to a login page, say, which believes the environ."""
    picky, target = make_picky()
    assert target.attack(HTTP_X_AUTH_TOKEN=server.issue("admin", system=True)).status == 401
    assert RESERVED_KEYS.isdisjoint(picky.rejected)


@pytest.mark.parametrize("is_refused_by_hook", [True, False])
def test_service_is_itself_whoever_refused_the_user(
    aim: Aim,
    make_picky: Callable[..., tuple[Picky, Target]],
    server: IdentityServer,
    *,
    is_refused_by_hook: bool,
) -> None:
    options = {"delay_auth_decision": "true"}
    target = make_picky(**options)[1] if is_refused_by_hook else aim(**options)
    user = server.issue("admin", system=True) if is_refused_by_hook else "gAAAAABmade-up"
    service = server.issue("service", project="service")
    target.attack(HTTP_X_AUTH_TOKEN=user, HTTP_X_SERVICE_TOKEN=service)
    seen = target.seen[-1]
    assert roles_seen(target) == ("Invalid", None)
    assert seen["HTTP_X_SERVICE_IDENTITY_STATUS"] == "Confirmed"
    assert "service" in seen["HTTP_X_SERVICE_ROLES"].split(",")
    plugin = seen["keystone.token_auth"]
    assert (plugin.has_user_token, plugin.has_service_token) == (False, True)
    assert plugin.service.auth_token == service


def test_what_the_app_does_to_the_token_no_other_request_sees(
    aim: Aim, server: IdentityServer
) -> None:
    target = aim()
    tokens: dict[str, Any] = {
        "HTTP_X_AUTH_TOKEN": server.issue("reader", project="inventory"),
        "HTTP_X_SERVICE_TOKEN": server.issue("service", project="service"),
    }
    for _ in range(2):
        target.attack(**tokens)
        seen = target.seen[-1]
        assert seen["HTTP_X_ROLES"] == "reader"
        principal = seen["authmw.token"].principal
        for shared in (principal.user_environ, principal.service_environ, principal.bind):
            with pytest.raises(TypeError, match="read-only"):
                shared["HTTP_X_ROLES"] = "admin"
            assert type(copy.copy(shared)) is dict, "a copy is whose who made it"

"""Environs that no proper server makes: no identity is forged, and nothing breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from authmw.build import build_filter_parts
from authmw.middleware import AuthMiddleware
from authmw.testing import IdentityServer
from authmw.token.headers import IDENTITY_HEADERS, RESERVED_KEYS, to_environ_key
from tests.system.attacks.conftest import Aim

pytestmark = pytest.mark.both_doors

FORGED: dict[str, Any] = dict.fromkeys(sorted(RESERVED_KEYS), "admin")

# For each: whether a client may be told 401, or 503 as it is the server who is at fault.
ODD_TOKENS: dict[str, Any] = {
    "bytes": b"gAAAAAB",
    "number": 7,
    "list": ["gAAAAAB"],
    "lone surrogate": "gAAAAAB\ud800",
    "beyond Latin-1": "gAAAAAB\u20ac",
    "Latin-1": "gAAAAAB\xe9",
    "no-break spaces": "\xa0\x85\xa0",
    "NUL": "gAAAAAB\0",
    "line feed within": "gAAAAAB\r\nX-Roles: admin",
    "a megabyte": "A" * 2**20,
    "a megabyte of dots": "." * 2**20,
    "dots": "...",
    "two dots": "..",
    "empty segments": "eyJhbGciOiJFUzI1NiJ9..",
}


@pytest.mark.parametrize("key", ["HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN"])
@pytest.mark.parametrize("odd", ODD_TOKENS)
def test_odd_token_never_gets_in_and_never_raises(aim_offline: Aim, odd: str, key: str) -> None:
    target = aim_offline()
    answer = target.attack(FORGED, **{key: ODD_TOKENS[odd]})
    assert answer.status in (401, 503)
    assert target.seen == []


@pytest.mark.parametrize("key", ["HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN"])
@pytest.mark.parametrize("odd", [odd for odd, token in ODD_TOKENS.items() if type(token) is str])
def test_odd_token_with_delay_is_nobody_s(aim_offline: Aim, odd: str, key: str) -> None:
    target = aim_offline(delay_auth_decision="true")
    assert target.attack(FORGED, **{key: ODD_TOKENS[odd]}).status == 200
    told = {name: target.seen[-1][name] for name in RESERVED_KEYS & target.seen[-1].keys()}
    told.pop("keystone.token_auth", None)
    assert set(told.values()) == {"Invalid"}


@pytest.mark.parametrize("options", [{}, {"delay_auth_decision": "true"}])
@pytest.mark.parametrize("kind", [dict, type("Environ", (dict,), {})])
def test_no_forged_name_survives_beside_a_valid_token(
    aim: Aim, server: IdentityServer, options: dict[str, str], kind: type[dict[str, Any]]
) -> None:
    """CVE-2025-64484 and CVE-2026-22797: however a header was spelled, the key is this."""
    target = aim(**options)
    target.attack(kind(FORGED), HTTP_X_AUTH_TOKEN=server.issue("reader", system=True))
    seen = target.seen[-1]
    assert [name for name in RESERVED_KEYS if seen.get(name) == "admin"] == []
    assert seen["HTTP_X_ROLES"] == "reader"


def test_missing_keys_are_no_way_in(aim: Aim, server: IdentityServer) -> None:
    target = aim(service_type="compute", public_paths="/healthcheck", allow_cors_preflight="true")
    begun: list[str] = []

    def start_response(status: str, _headers: object, _exc_info: object = None) -> Any:
        begun.append(status)

    for environ in ({"REQUEST_METHOD": "GET"}, {"REQUEST_METHOD": "GET", **FORGED}):
        b"".join(target.middleware(environ, start_response))
    assert (begun, target.seen) == (["401 Unauthorized"] * 2, [])


WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def test_inner_filter_does_not_believe_the_outer_one(aim: Aim, server: IdentityServer) -> None:
    """Two filters in a row, of two identity services: the inner one knows nothing of the token."""
    inner = aim()
    with IdentityServer() as other:
        outer = AuthMiddleware.from_parts(
            inner.middleware,
            build_filter_parts({**other.service_credentials, "revocation_poll_interval": "0"}),
        )
        inner.middleware = outer
        assert inner.attack(HTTP_X_AUTH_TOKEN=other.issue("admin", system=True)).status == 401
        assert inner.seen == []
        outer.close()


def test_sub_request_with_a_copied_environ_is_judged_by_its_own_token(
    aim: Aim, server: IdentityServer
) -> None:
    """Whoever copies an environ and changes the token gets the identity of the new token."""
    target = aim(delay_auth_decision="true")
    target.attack(HTTP_X_AUTH_TOKEN=server.issue("admin", project="inventory"))
    copied = dict(target.seen[-1])
    assert "admin" in copied["HTTP_X_ROLES"]
    target.attack(copied, HTTP_X_AUTH_TOKEN="gAAAAABmade-up")
    told = {name: target.seen[-1].get(name) for name in RESERVED_KEYS}
    told.pop("keystone.token_auth")
    assert told.pop("HTTP_X_IDENTITY_STATUS") == "Invalid"
    assert set(told.values()) == {None}
    target.attack(copied, HTTP_X_AUTH_TOKEN=server.issue("reader", project="inventory"))
    assert target.seen[-1]["HTTP_X_ROLES"] == "reader"


def test_what_one_request_does_to_its_token_info_no_other_sees(
    aim: Aim, server: IdentityServer
) -> None:
    target = aim()
    token = server.issue("reader", project="inventory")
    for _ in range(2):
        target.attack(HTTP_X_AUTH_TOKEN=token)
        body = target.seen[-1]["keystone.token_info"]["token"]
        assert [role["name"] for role in body["roles"]] == ["reader"]
        body["roles"].append({"id": "r", "name": "admin"})
        body["user"]["id"] = "another"
        with pytest.raises(TypeError, match="read-only"):
            body["catalog"][0]["endpoints"].clear()


def test_every_key_of_the_contract_is_reserved() -> None:
    for header in IDENTITY_HEADERS:
        assert to_environ_key(header.name) in RESERVED_KEYS
        if header.for_service:
            assert to_environ_key(header.service_name) in RESERVED_KEYS

"""The header contract: what the service is told, and what no client can set."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authmw.testing import IdentityServer
from authmw.token import Token
from authmw.token.headers import (
    ENVIRON_OBJECTS,
    IDENTITY_HEADERS,
    RESERVED_KEYS,
    TOKEN_AUTH,
    to_environ_key,
)
from tests.support.protected import Protect

pytestmark = pytest.mark.both_doors

FORGED = dict.fromkeys(RESERVED_KEYS, "forged")
SCOPES: dict[str, dict[str, Any]] = {
    "project": {"user": "member", "project": "inventory"},
    "domain": {"user": "admin", "domain": "default"},
    "system": {"user": "admin", "system": True},
    "unscoped": {"user": "member"},
}


def test_the_table_names_every_header_of_the_contract() -> None:
    assert {header.name for header in IDENTITY_HEADERS} == {
        "X-Identity-Status",
        "X-User-Id",
        "X-User-Name",
        "X-User-Domain-Id",
        "X-User-Domain-Name",
        "X-Project-Id",
        "X-Project-Name",
        "X-Project-Domain-Id",
        "X-Project-Domain-Name",
        "X-Domain-Id",
        "X-Domain-Name",
        "OpenStack-System-Scope",
        "X-Roles",
        "X-Is-Admin-Project",
        "X-Service-Catalog",
        "X-Tenant-Id",
        "X-Tenant-Name",
        "X-Tenant",
        "X-User",
        "X-Role",
    }
    assert ENVIRON_OBJECTS == (
        "keystone.token_info",
        "keystone.token_auth",
        "authmw.token",
        "authmw.undecided",
    )


@pytest.mark.parametrize("scope", SCOPES)
def test_the_app_is_told_who_is_calling(
    protect: Protect, server: IdentityServer, scope: str
) -> None:
    protected = protect()
    token = server.issue(**SCOPES[scope])
    assert protected.get(token).status_int == 200
    seen = protected.service.last
    body = server.validate(token)
    user: Any = body["user"]
    assert seen["HTTP_X_IDENTITY_STATUS"] == "Confirmed"
    assert (seen["HTTP_X_USER_ID"], seen["HTTP_X_USER_NAME"]) == (user["id"], user["name"])
    assert seen["HTTP_X_ROLES"] == ",".join(
        role["name"]
        for role in body.get("roles", [])  # type: ignore[attr-defined]
    )
    assert ("HTTP_X_PROJECT_ID" in seen) is (scope == "project")
    assert ("HTTP_X_DOMAIN_ID" in seen) is (scope == "domain")
    assert seen.get("HTTP_OPENSTACK_SYSTEM_SCOPE") == ("all" if scope == "system" else None)
    assert seen["keystone.token_info"] == {"token": body}
    assert isinstance(seen["authmw.token"], Token)
    assert "HTTP_X_SERVICE_IDENTITY_STATUS" not in seen


@pytest.mark.parametrize("options", [{}, {"delay_auth_decision": "true"}])
@pytest.mark.parametrize("scope", SCOPES)
def test_what_a_client_forges_never_reaches_the_app_beside_a_good_token(
    protect: Protect, server: IdentityServer, scope: str, options: dict[str, str]
) -> None:
    protected = protect(**options)
    token = server.issue(**SCOPES[scope])
    protected.get(token)
    honest = protected.service.last
    protected.get(token, extra_environ=FORGED)
    forged = protected.service.last
    # Each request has a plugin of its own; they are told apart by what they say.
    assert {key: honest.get(key) for key in RESERVED_KEYS - {TOKEN_AUTH}} == {
        key: forged.get(key) for key in RESERVED_KEYS - {TOKEN_AUTH}
    }
    assert repr(forged[TOKEN_AUTH]) == repr(honest[TOKEN_AUTH])


@pytest.mark.parametrize("token", [None, "garbage", "", "  "])
def test_with_delay_the_app_sees_invalid_and_nothing_of_what_was_forged(
    protect: Protect, token: str | None
) -> None:
    protected = protect(delay_auth_decision="true")
    assert protected.get(token, extra_environ=FORGED).status_int == 200
    seen = {key: value for key, value in protected.service.last.items() if key in RESERVED_KEYS}
    plugin = seen.pop(TOKEN_AUTH)
    assert (plugin.user, plugin.service) == (None, None)
    assert seen == {"HTTP_X_IDENTITY_STATUS": "Invalid"}


@pytest.mark.parametrize("header", IDENTITY_HEADERS, ids=lambda header: header.name)
def test_each_forged_header_alone_is_stripped(protect: Protect, header: Any) -> None:
    protected = protect(delay_auth_decision="true")
    names = [header.name] + ([header.service_name] if header.for_service else [])
    for name in names:
        for spelling in (name, name.lower(), name.upper()):
            protected.get(headers={spelling: "forged"})
            assert "forged" not in protected.service.last.values(), spelling
    assert to_environ_key(header.name) in RESERVED_KEYS


def test_a_client_s_header_of_another_name_passes(protect: Protect, server: IdentityServer) -> None:
    protected = protect()
    protected.get(server.issue(project="inventory"), headers={"X-Users": "kept", "X-Role-": "kept"})
    assert protected.service.last["HTTP_X_USERS"] == "kept"


def test_what_one_request_does_to_token_info_is_never_seen_by_another(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect()
    token = server.issue(project="inventory")
    protected.get(token)
    info = protected.service.last["keystone.token_info"]
    before = json.dumps(info)
    info["token"]["roles"].append({"name": "admin"})
    info["token"]["user"]["id"] = "root"
    protected.get(token)
    assert json.dumps(protected.service.last["keystone.token_info"]) == before


def test_catalog_is_left_out_where_the_configuration_says_so(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(include_service_catalog="false")
    protected.get(server.issue(project="inventory"))
    assert "HTTP_X_SERVICE_CATALOG" not in protected.service.last
    assert "catalog" not in protected.service.last["keystone.token_info"]["token"]


def test_two_filters_with_different_configurations_live_side_by_side(
    protect: Protect, server: IdentityServer
) -> None:
    strict, lenient = protect(), protect(delay_auth_decision="true")
    assert (strict.get().status_int, lenient.get().status_int) == (401, 200)
    token = server.issue(project="inventory")
    assert (strict.get(token).status_int, lenient.get(token).status_int) == (200, 200)

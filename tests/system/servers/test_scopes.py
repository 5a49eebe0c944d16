"""For each scope the service is told what Keystone says about the token."""

from __future__ import annotations

import json

import pytest

from tests.support.identity_types import IssuedToken, Json, trust_scope
from tests.support.keystone import Keystone
from tests.system.servers.contract import (
    expected_catalog,
    expected_headers,
    expected_service_headers,
    sort_role_assignments,
    sort_roles,
)
from tests.system.servers.people import People
from tests.system.servers.servers import Server, Servers, identity_of
from tests.system.servers.wire import Answer

SCOPES = ["project", "domain", "system", "unscoped"]


def assert_told(answer: Answer, body: Json) -> None:
    """Compare what the service saw with the body of GET /v3/auth/tokens."""
    assert identity_of(answer) == expected_headers(body)
    assert sort_role_assignments(answer.seen.token_info) == sort_role_assignments({"token": body})
    assert answer.seen.audit_id == body["audit_ids"][0]
    catalog = answer.seen.headers.get("HTTP_X_SERVICE_CATALOG")
    if "catalog" in body:
        assert catalog is not None
        assert json.loads(catalog) == expected_catalog(body)
    else:
        assert catalog is None


@pytest.mark.parametrize("scope", SCOPES)
def test_a_fernet_token_of_each_scope(
    server: Server, keystone: Keystone, tokens: dict[str, IssuedToken], scope: str
) -> None:
    body = keystone.fernet.api.validate(tokens[scope]).body
    assert (scope in body) is (scope != "unscoped")
    for _ in ("asked for", "from memory"):
        assert_told(server.ask("strict", tokens[scope]), body)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_jws_of_each_scope(
    server: Server, keystone: Keystone, people: People, scope: str
) -> None:
    caller = people.callers[scope]
    token = keystone.jws.api.issue(caller.user, caller.scope)
    assert token.id.count(".") == 2
    assert_told(server.ask("jws", token), keystone.jws.api.validate(token).body)


@pytest.mark.parametrize("impersonation", [True, False], ids=["impersonating", "in its own name"])
def test_a_trust_s_token_speaks_for_whom_keystone_says(
    server: Server, keystone: Keystone, people: People, *, impersonation: bool
) -> None:
    api = keystone.fernet.api
    trustee = api.create_user()
    trust_id = api.create_trust(
        people.member,
        trustee,
        people.project,
        [api.find_role("reader")],
        impersonation=impersonation,
    )
    token = api.issue(trustee, trust_scope(trust_id))
    answer = server.ask("strict", token)
    assert_told(answer, api.validate(token).body)
    speaks_for = people.member if impersonation else trustee
    assert answer.seen.headers["HTTP_X_USER_ID"] == speaks_for.id
    assert answer.seen.headers["HTTP_X_ROLES"] == "reader"


def test_a_token_exchanged_for_another_scope(
    server: Server, keystone: Keystone, people: People, tokens: dict[str, IssuedToken]
) -> None:
    api = keystone.fernet.api
    token = api.issue_from_token(tokens["unscoped"], people.callers["project"].scope)
    assert_told(server.ask("strict", token), api.validate(token).body)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_service_token_is_told_beside_the_user_s_and_changes_nothing_of_it(
    server: Server,
    keystone: Keystone,
    tokens: dict[str, IssuedToken],
    service_token: IssuedToken,
    scope: str,
) -> None:
    api = keystone.fernet.api
    answer = server.ask("strict", tokens[scope], service=service_token)
    assert identity_of(answer) == {
        **expected_headers(api.validate(tokens[scope]).body),
        **expected_service_headers(api.validate(service_token).body),
    }
    assert answer.seen.audit_id == tokens[scope].body["audit_ids"][0]


@pytest.mark.parametrize("scope", SCOPES)
def test_the_peer_tells_a_service_the_same(
    servers: Servers, tokens: dict[str, IssuedToken], service_token: IssuedToken, scope: str
) -> None:
    service = service_token if scope == "project" else None
    ours = servers.get("threads").ask("strict", tokens[scope], service=service).seen
    the_peer_s = servers.get("peer").ask("strict", tokens[scope], service=service).seen
    assert _parse_catalog(ours.headers) == _parse_catalog(the_peer_s.headers)
    assert ours.token_info is not None
    assert the_peer_s.token_info is not None
    # Two members that its client library adds are not the Identity API's: one is the token.
    for addition in ("auth_token", "version"):
        the_peer_s.token_info["token"].pop(addition)
    assert sort_role_assignments(ours.token_info) == sort_role_assignments(the_peer_s.token_info)


def _parse_catalog(headers: dict[str, str]) -> dict[str, object]:
    """Return the headers with the catalog as an object, and without what is None.

    The peer puts None into the environ where a token says nothing.
    """
    catalog = headers.get("HTTP_X_SERVICE_CATALOG")
    told: dict[str, object] = {
        key: value for key, value in sort_roles(headers).items() if value is not None
    }
    return {**told, "HTTP_X_SERVICE_CATALOG": catalog and json.loads(catalog)}

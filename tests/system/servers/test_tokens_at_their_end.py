"""Tokens that are no longer good.

The last module of the directory in the alphabet: the token of 20 seconds was issued at the
session's start, and its time has passed by now; a test that runs alone waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.support.identity_api import IdentityApi
from tests.support.identity_types import IssuedToken, PasswordUser
from tests.support.keystone import Keystone
from tests.system.servers.contract import expected_headers, expected_service_headers
from tests.system.servers.people import People
from tests.system.servers.servers import Server, Servers, identity_of


@pytest.fixture(scope="module")
def expired(expiring: IssuedToken) -> IssuedToken:
    """A token whose time has passed, by Keystone's clock and ours."""
    time.sleep(max(0.0, expiring.expires_at.timestamp() - time.time()) + 0.1)
    return expiring


def test_an_expired_token_is_refused(server: Server, expired: IssuedToken) -> None:
    assert server.ask("strict", expired).status == 401
    assert identity_of(server.ask("delayed", expired)) == {"HTTP_X_IDENTITY_STATUS": "Invalid"}


def test_beside_a_service_token_an_expired_one_still_counts_and_for_that_request_alone(
    server: Server, keystone: Keystone, expired: IssuedToken, service_token: IssuedToken
) -> None:
    api = keystone.fernet.api
    told = expected_headers(api.validate(expired, allow_expired=True).body)
    of_service = expected_service_headers(api.validate(service_token).body)
    for _ in range(4):
        answer = server.ask("strict", expired, service=service_token)
        assert identity_of(answer) == {**told, **of_service}
        assert answer.seen.audit_id == expired.body["audit_ids"][0]
        # Neither memory nor a worker gives it to a request that has not earned it.
        assert server.ask("strict", expired).status == 401
        assert identity_of(server.ask("delayed", expired)) == {"HTTP_X_IDENTITY_STATUS": "Invalid"}


@pytest.mark.parametrize("service", ["of a user", "made up", "itself"])
def test_an_expired_token_needs_a_service_s_own_beside_it(
    server: Server,
    expired: IssuedToken,
    tokens: dict[str, IssuedToken],
    service_token: IssuedToken,
    service: str,
) -> None:
    beside = {"of a user": tokens["project"].id, "made up": "made-up", "itself": expired.id}
    lines = [f"X-Service-Token: {beside[service]}"]
    assert server.ask("strict", expired, lines).status == 401
    # Nor does an earlier request that had one help.
    assert server.ask("strict", expired, service=service_token).status == 200
    assert server.ask("strict", expired, lines).status == 401
    told = identity_of(server.ask("delayed", expired, lines))
    assert told["HTTP_X_IDENTITY_STATUS"] == "Invalid"
    assert "HTTP_X_USER_ID" not in told


def test_an_expired_service_token_is_none(
    server: Server, expired: IssuedToken, tokens: dict[str, IssuedToken]
) -> None:
    assert server.ask("strict", tokens["project"], service=expired).status == 401


def test_a_revoked_token_stays_refused_beside_a_service_token(
    server: Server, keystone: Keystone, people: People, service_token: IssuedToken
) -> None:
    caller = people.callers["project"]
    token = keystone.fernet.api.issue(caller.user, caller.scope)
    keystone.fernet.api.revoke(token)
    assert server.ask("strict", token).status == 401
    assert server.ask("strict", token, service=service_token).status == 401


ENDS: dict[str, Callable[[IdentityApi, IssuedToken, PasswordUser], None]] = {
    "it is revoked": lambda api, token, _: api.revoke(token),
    "the user is disabled": lambda api, _, user: api.update("user", user.id, enabled=False),
    "the user is deleted": lambda api, _, user: api.delete("user", user.id),
    "the password is changed": lambda api, _, user: api.update("user", user.id, password="new"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_filter_that_remembers_nothing_refuses_at_once_when(
    server: Server, keystone: Keystone, people: People, end: str
) -> None:
    api = keystone.fernet.api
    user = people.make_user("reader")
    token = api.issue(user, people.callers["project"].scope)
    assert server.ask("uncached", token).status == 200
    ENDS[end](api, token, user)
    assert server.ask("uncached", token).status == 401


def test_the_filter_s_own_token_is_renewed_where_it_was_revoked(
    server: Server, keystone: Keystone, people: People, tokens: dict[str, IssuedToken]
) -> None:
    api = keystone.fernet.api
    assert server.ask("uncached", tokens["project"]).status == 200
    # All tokens of the service user, those that the filters hold among them.
    api.update("user", people.service.id, password=people.service.password)
    # Revocation counts in whole seconds: what is issued in this one is revoked, too.
    time.sleep(1.1)
    for _ in range(8):
        assert server.ask("uncached", tokens["project"]).status == 200


def test_no_log_holds_a_token_or_a_password(
    servers: Servers,
    people: People,
    tokens: dict[str, IssuedToken],
    expired: IssuedToken,
    service_token: IssuedToken,
) -> None:
    server = servers.get("threads")
    for token in (*tokens.values(), expired):
        server.ask("strict", token, service=service_token)
    logs = servers.read_logs()
    assert " INFO authmw." in logs  # what was refused, and why
    for secret in (*tokens.values(), expired, service_token):
        assert secret.id not in logs
    assert people.service.password not in logs

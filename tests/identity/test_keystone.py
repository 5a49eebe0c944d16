"""The identity client against a real Keystone."""

from __future__ import annotations

import contextlib
import time
from functools import partial

import pytest

from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings
from authmw.errors import InvalidToken, Outage, Reason
from authmw.identity.client import IdentityClient
from authmw.identity.outcomes import Outcome
from tests.support.identity_api import IdentityApi
from tests.support.identity_types import (
    SYSTEM_SCOPE,
    IssuedToken,
    Named,
    PasswordUser,
    project_scope,
)
from tests.support.keystone import Keystone, KeystoneProcess


def client_for(
    process: KeystoneProcess, user: PasswordUser | None = None, **options: object
) -> IdentityClient:
    """Return a client that logs in as the administrator of the system, or as this user."""
    credentials = user or process.api.admin
    conf: dict[str, object] = {
        "auth_type": "password",
        "auth_url": process.url,
        "user_id": credentials.id,
        "password": credentials.password,
        # The fixture's machine may be slow.
        "identity_deadline": 60,
    }
    if user is None:
        conf["system_scope"] = "all"
    settings = load_settings({**conf, **options})
    return IdentityClient(settings, partial(load_auth_plugin, settings.auth))


def test_token_body_is_what_keystone_says(keystone: Keystone) -> None:
    api = keystone.fernet.api
    token = api.issue_for_admin(project_scope(api.find_project("admin")))
    body = client_for(keystone.fernet).fetch_token(token.id)
    assert body == api.validate(token).body
    assert body["catalog"]


def test_catalog_is_left_out_unless_wanted(keystone: Keystone) -> None:
    api = keystone.fernet.api
    token = api.issue_for_admin(project_scope(api.find_project("admin")))
    client = client_for(keystone.fernet, include_service_catalog="false")
    assert "catalog" not in client.fetch_token(token.id)


def test_unknown_and_revoked_tokens_are_not_found(keystone: Keystone) -> None:
    api = keystone.fernet.api
    revoked = api.issue_for_admin()
    api.revoke(revoked)
    client = client_for(keystone.fernet)
    for token in (revoked.id, "no-such-token", "x" * 7000, "\xe9"):
        with pytest.raises(InvalidToken) as refused:
            client.fetch_token(token)
        assert refused.value.reason is Reason.NOT_FOUND


@pytest.mark.slow
def test_expired_token_is_good_enough_only_when_asked_so(keystone: Keystone) -> None:
    token = keystone.short_lived.api.issue_for_admin()
    # Keystone itself must find it expired: real time has to pass.
    time.sleep(max(0.0, token.expires_at.timestamp() - time.time()) + 1)
    client = client_for(keystone.short_lived)
    with pytest.raises(InvalidToken):
        client.fetch_token(token.id)
    body = client.fetch_token(token.id, allow_expired=True)
    assert body["audit_ids"] == token.body["audit_ids"]


def test_own_token_that_was_revoked_is_renewed(keystone: Keystone) -> None:
    api = keystone.fernet.api
    token = api.issue_for_admin()
    client = client_for(keystone.fernet)
    client.fetch_token(token.id)
    own = client.fetch_own_token()
    assert own is not None
    api.call("DELETE", "/auth/tokens", headers={"X-Subject-Token": own})
    # Keystone takes a revoked token once more from each of its threads that was asked with it
    # last; see tests.support.keystone.
    give_up_at = time.monotonic() + 30
    while client.fetch_own_token() == own and time.monotonic() < give_up_at:
        assert client.fetch_token(token.id)["audit_ids"] == token.body["audit_ids"]
        time.sleep(0.1)
    assert client.fetch_own_token() != own


def test_wrong_password_of_ours_is_an_outage(keystone: Keystone) -> None:
    client = client_for(keystone.fernet, password="wrong")
    with pytest.raises(Outage) as raised:
        client.fetch_token(keystone.fernet.api.issue_for_admin().id)
    assert raised.value.kind == Outcome.CREDENTIALS_REFUSED.name
    assert "wrong" not in str(raised.value)


def test_user_of_ours_without_the_role_is_an_outage(keystone: Keystone) -> None:
    api = keystone.fernet.api
    nobody = api.create_user()
    project = api.create_project()
    api.grant(nobody, api.find_role("reader"), project_scope(project))
    client = client_for(keystone.fernet, nobody, project_id=project.id)
    with pytest.raises(Outage) as raised:
        client.fetch_token(api.issue_for_admin().id)
    assert raised.value.kind == Outcome.CREDENTIALS_FORBIDDEN.name


def trust_token(api: IdentityApi) -> tuple[IssuedToken, PasswordUser, Named, Named]:
    """Return a token of a trust, its trustor, and the role on the project that is delegated."""
    trustor, trustee = api.create_user(), api.create_user()
    role, project = api.create_role(), api.create_project()
    api.grant(trustor, role, project_scope(project))
    trust = api.create_trust(trustor, trustee, project, [role])
    token = api.issue(trustee, {"OS-TRUST:trust": {"id": trust}})
    return token, trustor, role, project


def test_trust_token_whose_trustor_lost_the_role_is_refused(keystone: Keystone) -> None:
    """Keystone answers 403, as it does to us without the role, and means the token."""
    api = keystone.fernet.api
    token, trustor, role, project = trust_token(api)
    client = client_for(keystone.fernet)
    assert client.fetch_token(token.id)["audit_ids"] == token.body["audit_ids"]
    api.withdraw(trustor, role, project_scope(project))
    with pytest.raises(InvalidToken) as refused:
        client.fetch_token(token.id)
    assert refused.value.reason is Reason.REVOKED
    assert "HTTP 403" in str(refused.value)


def test_trust_token_whose_trustor_is_disabled_is_refused(keystone: Keystone) -> None:
    api = keystone.fernet.api
    token, trustor, _, _ = trust_token(api)
    api.update("user", trustor.id, enabled=False)
    with pytest.raises(InvalidToken) as refused:
        client_for(keystone.fernet).fetch_token(token.id)
    assert refused.value.reason is Reason.REVOKED


def test_lost_trust_of_our_own_is_no_verdict_on_any_token(keystone: Keystone) -> None:
    """The answer is the same to the letter, whoever's trust it is."""
    api = keystone.fernet.api
    role, project = api.find_role("service"), api.create_project()
    trustor, ours = api.create_user(), api.create_user()
    api.grant(trustor, role, project_scope(project))
    trust = api.create_trust(trustor, ours, project, [role])
    client = client_for(keystone.fernet, ours, trust_id=trust)
    token = api.issue_for_admin()
    assert client.fetch_token(token.id)["audit_ids"] == token.body["audit_ids"]
    api.withdraw(trustor, role, project_scope(project))
    outcomes = [fetch_outcome(client, token.id) for _ in range(10)]
    # Each of Keystone's threads may take our token once more, as above.
    assert outcomes[-1] is Outcome.CREDENTIALS_FORBIDDEN
    assert set(outcomes) <= {Outcome.ANSWERED, Outcome.CREDENTIALS_FORBIDDEN}


def test_frozen_keystone_keeps_only_the_first_few_waiting(keystone: Keystone) -> None:
    """The kernel accepts its connections, and nobody answers."""
    client = client_for(keystone.fernet, identity_deadline=1)
    token = keystone.fernet.api.issue_for_admin()
    client.authenticate_uri()  # loading the libraries is no part of a deadline
    for _ in range(20):
        with contextlib.suppress(Outage):  # a deadline of one second may be too short
            assert client.fetch_token(token.id)
            break
    keystone.fernet.suspend()
    try:
        started = time.monotonic()
        outcomes = [fetch_outcome(client, f"token-{number}") for number in range(100)]
        lasted = time.monotonic() - started
    finally:
        keystone.fernet.resume()
    # Three outages and the probe that opens. Further probes come after seconds, if the machine
    # is so slow that these pass.
    slow = outcomes.count(Outcome.DEADLINE)
    assert 4 <= slow <= 10, outcomes
    assert outcomes.count(Outcome.BREAKER_OPEN) == 100 - slow
    assert lasted < 30
    give_up_at = time.monotonic() + 60
    while fetch_outcome(client, token.id) is not Outcome.ANSWERED:
        assert time.monotonic() < give_up_at, "the breaker never closed"
        time.sleep(0.2)


def fetch_outcome(client: IdentityClient, token: str) -> Outcome:
    try:
        client.fetch_token(token)
    except Outage as outage:
        return Outcome[outage.kind]
    return Outcome.ANSWERED


@pytest.mark.parametrize("path", ["", "/v3", "/v3/"])
def test_authenticate_uri_is_the_version_3_endpoint(keystone: Keystone, path: str) -> None:
    client = client_for(keystone.fernet, auth_url=keystone.fernet.url + path)
    assert client.authenticate_uri() == keystone.fernet.auth_url


def test_revocation_events_come_with_the_servers_clock(keystone: Keystone) -> None:
    api = keystone.fernet.api
    api.revoke(api.issue_for_admin(SYSTEM_SCOPE))
    found = client_for(keystone.fernet).fetch_json("/OS-REVOKE/events", {})
    assert isinstance(found.body["events"], list)
    assert found.body["events"]
    assert found.date is not None
    assert abs(found.date - time.time()) < 60

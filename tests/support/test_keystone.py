"""The Keystone of `tests/support` is a real one, and does what other tests rely on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from tests.support.identity_api import IdentityApi, UnexpectedAnswer
from tests.support.identity_types import (
    SYSTEM_SCOPE,
    UNSCOPED,
    IssuedToken,
    Named,
    PasswordUser,
    Scope,
    domain_scope,
    project_scope,
    trust_scope,
)
from tests.support.keystone import Keystone, KeystoneProcess
from tests.support.processes import is_answering

pytestmark = pytest.mark.slow

SCOPES = ["project", "domain", "system", "unscoped"]


@pytest.fixture(scope="module")
def api(keystone: Keystone) -> IdentityApi:
    return keystone.fernet.api


@pytest.fixture(scope="module")
def project(api: IdentityApi) -> Named:
    return api.create_project()


@pytest.fixture(scope="module")
def user(api: IdentityApi, project: Named) -> PasswordUser:
    """A reader of a project, of the default domain and of the system."""
    user = api.create_user()
    reader = api.find_role("reader")
    for scope in (project_scope(project), domain_scope(Named("default", "Default")), SYSTEM_SCOPE):
        api.grant(user, reader, scope)
    return user


@pytest.fixture(params=["fernet", "jws"])
def process(keystone: Keystone, request: pytest.FixtureRequest) -> KeystoneProcess:
    return {"fernet": lambda: keystone.fernet, "jws": lambda: keystone.jws}[request.param]()


def issue(api: IdentityApi, user: PasswordUser, project: Named, scope: str) -> IssuedToken:
    asked: dict[str, Scope] = {
        "project": project_scope(project),
        "domain": domain_scope(Named("default", "Default")),
        "system": SYSTEM_SCOPE,
        "unscoped": UNSCOPED,
    }
    return api.issue(user, asked[scope])


@pytest.mark.parametrize("scope", SCOPES)
def test_both_providers_issue_tokens_of_every_scope_and_validate_them(
    process: KeystoneProcess, user: PasswordUser, project: Named, scope: str
) -> None:
    token = issue(process.api, user, project, scope)

    body = process.api.validate(token).body

    assert body["user"]["id"] == user.id
    assert [member for member in SCOPES if member in body] == [scope][: scope != "unscoped"]
    assert [role["name"] for role in body.get("roles", [])] == ["reader"][: scope != "unscoped"]


def test_a_fernet_token_has_no_dot_and_a_jws_has_two(
    keystone: Keystone, user: PasswordUser
) -> None:
    assert keystone.fernet.api.issue(user).id.count(".") == 0
    assert keystone.jws.api.issue(user).id.count(".") == 2


def test_public_key_repository_holds_the_key_and_nothing_private(keystone: Keystone) -> None:
    assert is_answering(keystone.jws.url)
    [key] = keystone.jws_public_key_repository.iterdir()
    assert key.read_text().startswith("-----BEGIN PUBLIC KEY-----")


def test_the_catalog_names_the_process_that_answers(
    process: KeystoneProcess, user: PasswordUser, project: Named
) -> None:
    token = process.api.validate(issue(process.api, user, project, "project"))

    [identity] = [entry for entry in token.body["catalog"] if entry["type"] == "identity"]
    assert {endpoint["url"] for endpoint in identity["endpoints"]} == {process.auth_url}
    assert {endpoint["interface"] for endpoint in identity["endpoints"]} == {
        "public",
        "internal",
        "admin",
    }


def test_what_one_process_revokes_or_disables_the_others_refuse_at_once(
    keystone: Keystone, api: IdentityApi, project: Named
) -> None:
    user = api.create_user()
    api.grant(user, api.find_role("member"), project_scope(project))
    token = keystone.jws.api.issue(user, project_scope(project))
    assert keystone.jws.api.is_valid(token)

    api.update("user", user.id, enabled=False)

    assert not keystone.jws.api.is_valid(token)


def test_a_revoked_token_is_not_found(api: IdentityApi, user: PasswordUser) -> None:
    token = api.issue(user)

    api.revoke(token)

    with pytest.raises(UnexpectedAnswer, match=r"^GET /auth/tokens: 404 .*Failed to validate"):
        api.validate(token)
    assert token.body["audit_ids"][0] in {
        event.get("audit_id") for event in api.list_revocation_events()
    }


def test_tokens_of_trusts_and_application_credentials_say_so(
    process: KeystoneProcess, user: PasswordUser, project: Named
) -> None:
    api = process.api
    trustee = api.create_user()
    trust_id = api.create_trust(user, trustee, project, [api.find_role("reader")])
    rule = {"service": "compute", "method": "GET", "path": "/v2.1/servers/*"}
    credential = api.create_application_credential(user, project, access_rules=[rule])

    of_trust = api.validate(api.issue(trustee, trust_scope(trust_id)))
    of_credential = api.validate(api.issue_from_application_credential(credential))

    assert of_trust.body["OS-TRUST:trust"]["trustee_user"]["id"] == trustee.id
    assert of_trust.body["user"]["id"] == user.id
    [seen_rule] = of_credential.body["application_credential"]["access_rules"]
    assert {name: seen_rule[name] for name in rule} == rule


def test_tokens_of_the_short_lived_process_end_after_twenty_seconds(
    keystone: Keystone, user: PasswordUser
) -> None:
    token = keystone.short_lived.api.issue(user)

    assert round((token.expires_at - token.issued_at).total_seconds()) == 20
    assert keystone.fernet.api.is_valid(token)


def test_a_token_of_the_short_lived_process_is_refused_in_the_end_unless_expired_ones_are_asked_for(
    keystone: Keystone, user: PasswordUser
) -> None:
    token = keystone.short_lived.api.issue(user)

    time.sleep(max(0, token.expires_at.timestamp() - time.time()) + 1)

    assert not keystone.fernet.api.is_valid(token)
    assert keystone.fernet.api.validate(token, allow_expired=True).body["user"]["id"] == user.id


def test_a_suspended_process_says_nothing_and_goes_on_when_resumed(keystone: Keystone) -> None:
    process = keystone.fernet
    process.suspend()
    try:
        with pytest.raises(requests.ReadTimeout):
            requests.get(process.auth_url, timeout=0.5)
    finally:
        process.resume()
    assert is_answering(process.auth_url)


def test_a_stopped_process_refuses_connections_and_knows_its_tokens_when_started_again(
    keystone: Keystone, user: PasswordUser
) -> None:
    process = keystone.fernet
    token = process.api.issue(user)
    process.stop()
    try:
        with pytest.raises(requests.ConnectionError, match=r"Connection (refused|aborted)"):
            requests.get(process.auth_url, timeout=5)
    finally:
        process.start()
    assert process.api.is_valid(token)


def test_signed_tokens_may_be_what_is_asked_for_first(
    new_keystone_site: Path, tmp_path: Path
) -> None:
    site = Keystone(tmp_path, new_keystone_site)
    try:
        assert site.jws.api.is_valid(site.jws.api.issue_for_admin())
    finally:
        site.stop()

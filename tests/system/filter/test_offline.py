"""Signed tokens are verified here, with names and roles from an authority."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authmw.testing import Fault, IdentityServer
from authmw.testing.issuer import Issuer
from tests.support.protected import Protect, Protected
from tests.support.waiting import wait_for

pytestmark = pytest.mark.both_doors

SCOPES: dict[str, dict[str, Any]] = {
    "project": {"user": "member", "project": "inventory"},
    "domain": {"user": "admin", "domain": "default"},
    "system": {"user": "admin", "system": True},
    "unscoped": {"user": "member"},
}

ProtectOffline = Callable[..., Protected]


@pytest.fixture
def keys(tmp_path: Path, server: IdentityServer) -> Path:
    repository = tmp_path / "keys"
    repository.mkdir(mode=0o755)
    server.issuer.write_public_key(repository)
    return repository


@pytest.fixture
def offline(protect: Protect, keys: Path) -> ProtectOffline:
    def make(**options: str) -> Protected:
        return protect(
            **{
                "jws_public_key_repository": str(keys),
                "revocation_poll_interval": "0",
                "token_validation": "offline",
                **options,
            }
        )

    return make


def tell(environ: dict[str, Any]) -> dict[str, Any]:
    """Return what an app was told of the caller."""
    return {
        key: value
        for key, value in environ.items()
        if key.startswith(("HTTP_X_", "HTTP_OPENSTACK")) or key == "keystone.token_info"
    }


@pytest.mark.parametrize("scope", SCOPES)
def test_an_offline_token_says_what_remote_validation_of_it_says(
    offline: ProtectOffline, protect: Protect, server: IdentityServer, scope: str
) -> None:
    token = server.issue_jws(**SCOPES[scope])
    verified, asked = offline(), protect()
    assert (verified.get(token).status_int, asked.get(token).status_int) == (200, 200)
    assert tell(verified.service.last) == tell(asked.service.last)


def test_trusts_and_application_credentials_say_what_remote_validation_says(
    offline: ProtectOffline, protect: Protect, server: IdentityServer
) -> None:
    directory = server.directory
    wanted: list[dict[str, Any]] = [
        {
            "trust": directory.add_trust(
                trustor="member",
                trustee="reader",
                project="billing",
                roles=["member"],
                impersonation=impersonation,
            ).id
        }
        for impersonation in (True, False)
    ]
    wanted.append(
        {
            "application_credential": directory.add_application_credential(
                "ac", user="member", project="inventory", roles=["reader"]
            ).id
        }
    )
    verified, asked = offline(), protect()
    for wish in wanted:
        token = server.issue_jws(**wish)
        assert (verified.get(token).status_int, asked.get(token).status_int) == (200, 200)
        assert tell(verified.service.last) == tell(asked.service.last)


def test_10_000_tokens_of_100_users_cost_100_identity_calls(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline(authority_cache_time="3600")
    for number in range(100):
        server.directory.add_user(f"user{number}")
        server.directory.assign("member", f"user{number}", project="inventory")
    seen = protected.service.seen
    for round_number in range(100):
        for number in range(100):
            token = server.issue_jws(f"user{number}", project="inventory")
            environ = {"HTTP_X_AUTH_TOKEN": token, "REQUEST_METHOD": "GET", "PATH_INFO": "/"}
            assert authenticate(protected, environ) is None
            assert environ["HTTP_X_USER_NAME"] == f"user{number}"
        assert server.calls["validate"] == 100, f"in round {round_number}"
    assert seen == []


def authenticate(protected: Protected, environ: dict[str, Any]) -> object:
    # Straight to the authenticator: 10,000 HTTP requests would only slow the test down.
    return protected.app.app._parts.authenticator.authenticate(environ)


def forge(token: str, **claims: Any) -> str:
    header, payload, signature = token.split(".")
    changed = json.loads(base64.urlsafe_b64decode(payload + "==")) | claims
    text = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    return f"{header}.{text}.{signature}"


def test_forged_and_foreign_tokens_are_refused_without_asking_anyone(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline()
    good = server.issue_jws("member", project="inventory")
    admin = server.directory.user("admin").id
    foreign = Issuer().sign({"sub": admin, "iat": 1, "exp": 4102444800})
    for token in (forge(good, sub=admin), good[:-4] + "AAAA", good + "x", foreign, "a.b.c", "."):
        assert protected.get(token).status_int == 401
    assert server.calls["validate"] == 0
    assert protected.get(good).status_int == 200


@pytest.mark.parametrize("mode", ["auto", "offline"])
def test_where_a_token_without_a_dot_goes(
    offline: ProtectOffline, server: IdentityServer, mode: str
) -> None:
    protected = offline(token_validation=mode, revocation_poll_interval="10")
    opaque = server.issue("member", project="inventory")
    assert protected.get(opaque).status_int == (200 if mode == "auto" else 401)


def test_a_signed_token_never_falls_back_to_the_identity_endpoint(
    offline: ProtectOffline, server: IdentityServer, keys: Path
) -> None:
    protected = offline(token_validation="auto", revocation_poll_interval="10")
    for file in keys.iterdir():
        file.unlink()
    Issuer().write_public_key(keys)
    token = server.issue_jws("member", project="inventory")
    assert protected.get(token).status_int == 401
    assert server.calls["validate"] == 0


def test_remote_mode_asks_about_signed_tokens_too(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline(token_validation="remote", revocation_poll_interval="10")
    token = server.issue_jws("member", project="inventory")
    assert protected.get(token).status_int == 200
    assert server.calls["validate"] == 1


def test_an_expired_signed_token_is_asked_for_where_a_service_may_still_use_it(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline()
    expired = server.issue_jws(
        "member", project="inventory", issued_at=server.clock() - 7200, expires_in=3600
    )
    service = server.issue_jws("service", project="service")
    assert protected.get(expired).status_int == 401
    response = protected.get(expired, headers={"X-Service-Token": service})
    assert response.status_int == 200
    assert protected.get(expired).status_int == 401


@pytest.mark.parametrize("claim", ["iss", "aud"])
def test_an_expired_token_keeps_to_issuer_and_audience_beside_a_service_token(
    offline: ProtectOffline, server: IdentityServer, claim: str
) -> None:
    options = {"jws_issuer": "https://issuer.example", "jws_audience": "inventory"}
    claims = {"iss": "https://issuer.example", "aud": "inventory"}
    protected = offline(**options)
    service = server.issue_jws("service", project="service", extra_claims=claims)
    sent = {"X-Service-Token": service}
    statuses = [
        protected.get(
            server.issue_jws(
                "member",
                project="inventory",
                expires_in=expires_in,
                extra_claims={**claims, **changes},
            ),
            headers=sent,
        ).status_int
        for expires_in in (600, -1)
        for changes in ({}, {claim: "https://evil.example"}, {claim: None})
    ]
    assert statuses == [200, 401, 401] * 2


def test_with_the_identity_service_gone_known_bearers_new_tokens_are_accepted(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline(identity_deadline="1", http_request_max_retries="0")
    tokens = [server.issue_jws("member", project="inventory") for _ in range(3)]
    stranger = server.issue_jws("reader", project="inventory")
    assert protected.get(tokens[0]).status_int == 200
    server.stop()
    for token in tokens:
        assert protected.get(token).status_int == 200
        assert protected.service.last["HTTP_X_USER_NAME"] == "member"
        assert protected.get(forge(token, sub="x")).status_int == 401
    assert protected.get(stranger).status_int == 503


def test_an_answer_about_somebody_else_is_not_believed(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline()
    # A validly signed token that says another user than the identity service has on record.
    token = server.issue_jws(
        "member", project="inventory", extra_claims={"sub": server.directory.user("admin").id}
    )
    assert protected.get(token).status_int == 503


def test_one_flight_for_many_new_tokens_of_one_bearer(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline()
    tokens = [server.issue_jws("member", project="inventory") for _ in range(32)]
    protected.get()  # the keys are read
    statuses: list[object] = []

    def ask(token: str) -> None:
        environ = {"HTTP_X_AUTH_TOKEN": token, "REQUEST_METHOD": "GET", "PATH_INFO": "/"}
        statuses.append(authenticate(protected, environ))

    threads = [threading.Thread(target=ask, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [None] * 32
    assert server.calls["validate"] == 1


def test_a_refusal_is_not_shared_with_another_s_token(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline()
    revoked = server.issue_jws("member", project="inventory")
    server.revoke(revoked)
    good = server.issue_jws("member", project="inventory")
    assert protected.get(revoked).status_int == 401
    assert protected.get(good).status_int == 200


@pytest.mark.parametrize("scope", SCOPES)
def test_names_and_roles_from_the_claims_need_no_identity_service(
    offline: ProtectOffline, protect: Protect, server: IdentityServer, scope: str
) -> None:
    token = server.issue_jws(names_and_roles=True, **SCOPES[scope])
    asked = protect(include_service_catalog="false")
    assert asked.get(token).status_int == 200
    protected = offline(jws_authority="claims")
    server.stop()
    assert protected.get(token).status_int == 200
    told, remote = tell(protected.service.last), tell(asked.service.last)
    told.pop("keystone.token_info"), remote.pop("keystone.token_info")
    assert told == remote


def test_a_token_without_roles_in_it_goes_to_the_next_source(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    token = server.issue_jws("member", project="inventory")
    assert offline(jws_authority="claims").get(token).status_int == 503
    assert offline(jws_authority="claims,identity").get(token).status_int == 200


@pytest.mark.parametrize(
    "lacking", ["openstack_trustor_id", "openstack_trustee_id", "openstack_roles"]
)
def test_a_trust_in_the_claims_needs_trustor_trustee_and_role_ids(
    offline: ProtectOffline, server: IdentityServer, lacking: str
) -> None:
    trust = server.directory.add_trust(
        trustor="member", trustee="reader", project="billing", roles=["member"], impersonation=True
    )
    protected = offline(jws_authority="claims")
    whole = server.issue_jws(names_and_roles=True, trust=trust.id)
    assert protected.get(whole).status_int == 200
    assert protected.service.last["HTTP_X_USER_NAME"] == "member"
    changed = [{"name": "member"}] if lacking == "openstack_roles" else None
    broken = server.issue_jws(names_and_roles=True, trust=trust.id, extra_claims={lacking: changed})
    assert protected.get(broken).status_int == 401


def test_shadow_validation_decides_remotely_and_counts_differences(
    offline: ProtectOffline,
    server: IdentityServer,
    keys: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    protected = offline(
        token_validation="auto", shadow_validation="true", revocation_poll_interval="10"
    )
    same = server.issue_jws("member", project="inventory")
    assert protected.get(same).status_int == 200
    assert "shadow validation" not in caplog.text
    for file in keys.iterdir():
        file.unlink()
    Issuer().write_public_key(keys)
    # The keys are read at the first request, so a second filter sees the other key.
    other = offline(
        token_validation="auto", shadow_validation="true", revocation_poll_interval="10"
    )
    assert other.get(same).status_int == 200
    assert "accepted remotely, refused offline (bad_signature" in caplog.text
    assert same not in caplog.text
    garbage = same[:-4] + "AAAA"
    assert other.get(garbage).status_int == 401


def test_an_outage_while_asking_for_roles_is_a_503_and_not_a_401(
    offline: ProtectOffline, server: IdentityServer
) -> None:
    protected = offline()
    token = server.issue_jws("member", project="inventory")
    with server.failing(Fault.ERROR_503, "validate"):
        assert protected.get(token).status_int == 503
    # A probe may have to find out first that the outage is over.
    assert wait_for(lambda: protected.get(token).status_int == 200)

"""Unknown facts about a token or the events never let a revoked token pass."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp
from webtest.lint import middleware as lint

import authmw
from authmw.build import build_filter_parts
from authmw.testing import IdentityServer
from authmw.testing.revocations import RevokedAttributes
from tests.support.clock import Clock
from tests.support.protected import Protect, Protected, Service
from tests.support.waiting import wait_for


@pytest.fixture
def by_claims(protect: Protect, server: IdentityServer, tmp_path: Path) -> Protected:
    server.issuer.write_public_key(tmp_path / "keys")
    return protect(
        revocation_poll_interval="1",
        jws_authority="claims",
        jws_public_key_repository=str(tmp_path / "keys"),
    )


def issue(server: IdentityServer, **claims: Any) -> str:
    return server.issue_jws(
        "member", project="inventory", names_and_roles=True, extra_claims=claims
    )


NO_ROLE_IDS: dict[str, Any] = {"openstack_roles": [{"name": "member"}]}
NO_USER_DOMAIN: dict[str, Any] = {
    "openstack_user_domain_id": None,
    "openstack_user_domain_name": None,
}


@pytest.mark.parametrize(
    ("claims", "event"),
    [
        (NO_ROLE_IDS, RevokedAttributes(role_id="any")),
        (NO_USER_DOMAIN, RevokedAttributes(domain_id="any")),
    ],
)
def test_an_id_that_the_claims_don_t_tell_may_be_the_one_of_an_event(
    by_claims: Protected, server: IdentityServer, claims: dict[str, Any], event: RevokedAttributes
) -> None:
    incomplete, whole = issue(server, **claims), issue(server)
    assert [by_claims.get(token).status_int for token in (incomplete, whole)] == [200, 200]
    server.emit(event)
    assert wait_for(lambda: by_claims.get(incomplete).status_int == 401)
    assert by_claims.get(whole).status_int == 200


def test_a_token_older_than_dropped_events_gets_503_and_a_later_one_does_not(
    protect: Protect, server: IdentityServer, tmp_path: Path
) -> None:
    server.issuer.write_public_key(tmp_path / "keys")
    protected = protect(
        revocation_poll_interval="1",
        revocation_max_events="50",
        jws_public_key_repository=str(tmp_path / "keys"),
    )
    token = server.issue_jws("member", project="inventory")
    for number in range(120):
        server.emit(RevokedAttributes(audit_id=f"noise{number}"))
    assert protected.get(token).status_int == 503
    time.sleep(1.1)
    assert protected.get(server.issue_jws("reader", project="inventory")).status_int == 200


@pytest.mark.parametrize("hours", [49, 51, 100])
def test_a_revoked_token_that_outlives_its_event_is_never_good_again(
    hours: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    week = 7 * 86400
    with IdentityServer(provider="jws", clock=clock, token_lifetime_seconds=week) as server:
        server.issuer.write_public_key(tmp_path / "keys")
        options = {
            **server.service_credentials,
            "revocation_poll_interval": "1",
            "jws_authority": "claims",
            "jws_public_key_repository": str(tmp_path / "keys"),
        }
        parts = build_filter_parts(options, clock=clock)
        with_filter = authmw.AuthMiddleware.from_parts(lint(Service()), parts)
        app = TestApp(with_filter)

        def send(token: str) -> int:
            status: int = app.get("/", headers={"X-Auth-Token": token}, status="*").status_int
            return status

        try:
            token = issue(server)
            assert send(token) == 200
            time.sleep(1.1)
            server.revoke(token)
            assert wait_for(lambda: send(token) == 401)
            clock.ahead_seconds = hours * 3600.0
            seen = {send(token)}
            asked = server.calls["events"]
            assert wait_for(lambda: server.calls["events"] > asked + 1)
            seen |= {send(token) for _ in range(10)}
            assert 200 not in seen
            assert send(issue(server)) == 200
        finally:
            with_filter.close()
    is_named = "raise revocation_retention" in caplog.text
    assert is_named is (hours > 50)


def test_without_events_another_token_of_the_bearer_makes_no_refused_token_good_again(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with IdentityServer(provider="jws", clock=clock) as server:
        server.issuer.write_public_key(tmp_path / "keys")
        options = {
            **server.service_credentials,
            "token_validation": "offline",
            "revocation_poll_interval": "0",
            "authority_cache_time": "10",
            "jws_public_key_repository": str(tmp_path / "keys"),
        }
        with_filter = authmw.AuthMiddleware.from_parts(
            lint(Service()), build_filter_parts(options, clock=clock)
        )
        app = TestApp(with_filter)

        def send(token: str) -> int:
            status: int = app.get("/", headers={"X-Auth-Token": token}, status="*").status_int
            return status

        try:
            stolen, other = (server.issue_jws("member", project="inventory") for _ in range(2))
            assert (send(stolen), send(other)) == (200, 200)
            server.revoke(stolen)
            for _ in range(3):
                clock.advance(11)
                assert (send(stolen), send(other), send(stolen)) == (401, 200, 401)
        finally:
            with_filter.close()

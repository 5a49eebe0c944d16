"""Tokens of the OAuth2 provider of Keystone's successor, and its list of revoked ones."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg
from webtest import TestApp

import authmw
from authmw.build import build_filter_parts
from authmw.testing import IdentityServer
from authmw.testing.faults import Fault
from authmw.testing.oidc_server import OidcServer
from authmw.testing.signing_key import SigningKey
from tests.support.clock import Clock
from tests.support.issuers.filter import issuer_options, protect_by, protect_with
from tests.support.protected import Service


class Site:
    """A filter with a clock of its own in front of a service."""

    def __init__(self, server: OidcServer, clock: Clock, **options: str) -> None:
        self.service = Service()
        self.parts = build_filter_parts(
            {
                "oslo_config_config": cfg.ConfigOpts(),
                "http_request_max_retries": "0",
                **issuer_options("op", server),
                **options,
            },
            clock=clock,
        )
        self._app = TestApp(authmw.AuthMiddleware.from_parts(self.service, self.parts))

    def status_of(self, token: str, header: str = "X-Auth-Token") -> int:
        return int(self._app.get("/", headers={header: token}, status="*").status_int)


@pytest.fixture
def server(clock: Clock) -> Iterator[OidcServer]:
    with OidcServer(profile="keystone-op", clock=clock, lifetime_seconds=3600) as running:
        yield running


@pytest.fixture
def site(server: OidcServer, clock: Clock) -> Iterator[Site]:
    made = Site(server, clock)
    yield made
    made.parts.close()


def test_service_learns_roles_and_project_from_the_token(server: OidcServer, site: Site) -> None:
    token = server.issue("ada-id", username="ada", roles=["member"], project_id="inventory-id")
    assert site.status_of(token) == 200
    environ = site.service.last
    told = {name: environ.get(f"HTTP_X_{name}") for name in ("USER_ID", "USER_NAME", "ROLES")}
    assert told == {"USER_ID": "ada-id", "USER_NAME": "ada", "ROLES": "member"}
    assert environ["HTTP_X_PROJECT_ID"] == "inventory-id"
    assert environ["HTTP_X_PROJECT_DOMAIN_ID"] == "default"
    assert "HTTP_X_PROJECT_NAME" not in environ
    assert server.calls == {"keys": 1, "events": 1}  # no discovery document


def test_where_there_is_an_admin_project_a_token_that_does_not_say_is_not_of_it(
    server: OidcServer, clock: Clock
) -> None:
    """It has the project's id alone, and the option is a name."""
    token = server.issue("ada", roles=["admin"], project_id="inventory-id")
    for options, told in (
        ({}, "True"),
        ({"admin_project_name": "admin", "admin_project_domain_name": "Default"}, "False"),
    ):
        site = Site(server, clock, **options)
        assert site.status_of(token) == 200
        assert site.service.last["HTTP_X_IS_ADMIN_PROJECT"] == told
        site.parts.close()


def test_revoked_token_is_refused_at_the_next_poll_though_it_is_in_memory(
    server: OidcServer, site: Site, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    token, other = server.issue("ada", token_id="jti-1"), server.issue("ada", token_id="jti-2")
    assert site.status_of(token) == site.status_of(other) == 200
    server.revoke_id("jti-1")
    clock.now += 13  # late enough for a request to poll, should no thread have
    site.status_of(other)
    with caplog.at_level(logging.INFO, "authmw"):
        assert site.status_of(token) == 401
    assert "revoked: its 'jti' is in its issuer's revocation list" in caplog.text
    assert site.status_of(other) == 200


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.HTML, Fault.ODD_JSON, Fault.REDIRECT])
def test_list_that_was_never_read_lets_nobody_in(
    fault: Fault, server: OidcServer, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    token = server.issue("ada")
    with server.failing(fault, "events"):
        assert site.status_of(token) == 503
    assert "jwks/revocation" in caplog.text


def test_list_that_fails_counts_until_it_is_too_old(
    server: OidcServer, site: Site, clock: Clock
) -> None:
    token = server.issue("ada")
    assert site.status_of(token) == 200
    with server.failing(Fault.ERROR_500, "events"):
        clock.now += 60
        assert site.status_of(token) == site.status_of(server.issue("ada")) == 200
        clock.now += 541  # revocation_max_staleness is 600
        assert site.status_of(token) == site.status_of(server.issue("ada")) == 503
    clock.now += 13
    site.status_of(token)
    assert site.status_of(token) == 200


def test_wrong_kind_of_token_is_refused(server: OidcServer, site: Site) -> None:
    assert site.status_of(server.issue("ada", claims={"token_use": "id"})) == 401
    assert site.status_of(server.issue("ada", claims={"aud": "openstack-apis:other"})) == 401
    delegated = {"auth_method": "trust", "delegated_project_id": "another"}
    claims = {"delegation_context": delegated}
    assert site.status_of(server.issue("ada", project_id="p", claims=claims)) == 401


def test_one_filter_takes_them_beside_fernet_and_keystones_own_jws() -> None:
    with IdentityServer() as identity, OidcServer(profile="keystone-op") as op:
        protected = protect_by(op, **identity.service_credentials)
        try:
            opaque = identity.issue("member", project="inventory")
            for token in (opaque, op.issue("ada", roles=["member"], project_id="p")):
                assert protected.status_of(token) == 200
                assert protected.app.get("/", headers={"X-Auth-Token": token}).status_int == 200
            # Without keys for Keystone's JWS it is asked about them.
            before = identity.calls["validate"]
            unsigned = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA"
            assert protected.status_of(unsigned) == 401
            assert identity.calls["validate"] <= before + 1
        finally:
            protected.close()


def test_svid_without_iss_is_verified_by_its_trust_domain_beside_keystone(tmp_path: Path) -> None:
    """It is nobody else's business: Keystone is not shown it."""
    key = SigningKey.generate("key-1")
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    (keys / "mesh.jwk").write_text(json.dumps(key.jwk()))
    claims = {"aud": ["https://inventory.example"], "exp": int(time.time()) + 300}
    with IdentityServer() as identity:
        protected = protect_with(
            issuer__mesh__profile="spiffe",
            issuer__mesh__trust_domain="acme.example",
            issuer__mesh__audience="https://inventory.example",
            issuer__mesh__public_key_repository=str(keys),
            **identity.service_credentials,
        )
        try:
            ours = key.sign({**claims, "sub": "spiffe://acme.example/web"}, typ="JWT")
            assert protected.status_of(ours) == 200
            assert protected.service.last["authmw.token"].issuer == "spiffe acme.example"
            assert "validate" not in identity.calls
            other = key.sign({**claims, "sub": "spiffe://other.example/web"}, typ="JWT")
            assert protected.status_of(other) == 401
            opaque = identity.issue("member", project="inventory")
            assert protected.status_of(opaque) == 200
        finally:
            protected.close()

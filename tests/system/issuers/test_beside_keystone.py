"""Every kind of issuer in one filter with Keystone: each token is judged by who made it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authmw.errors import ConfigurationError
from authmw.testing import IdentityServer
from authmw.testing.oidc_server import OidcServer
from authmw.testing.oidc_tokens import SHAPES
from tests.support.issuers.filter import protect_by, protect_with


@pytest.fixture(scope="module")
def identity() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


@pytest.mark.parametrize("profile", SHAPES)
def test_tokens_of_every_kind_pass_beside_keystones(profile: str, identity: IdentityServer) -> None:
    with OidcServer(profile=profile) as server:
        more = {}
        subject = "ada"
        if profile == "github":
            subject, more = (
                "acme/inventory",
                {"issuer__a__required_values": "repository_owner:acme"},
            )
        protected = protect_by(server, **more, **identity.service_credentials)
        try:
            before = identity.calls["validate"]
            token = server.issue(subject, roles=["member"], scope="inventory.read")
            assert protected.status_of(token) == 200
            assert identity.calls["validate"] == before
            assert protected.service.last["authmw.token"].claims["exp"]
            assert protected.status_of(server.issue_id_token("ada")) == 401
            assert protected.status_of(identity.issue(project="inventory")) == 200
        finally:
            protected.close()


def test_svids_of_a_trust_domain_have_no_iss_and_are_not_keystones(
    identity: IdentityServer,
) -> None:
    with OidcServer(profile="spiffe") as server:
        protected = protect_with(
            issuer__a__profile="spiffe",
            issuer__a__trust_domain="acme.example",
            issuer__a__audience=server.audience,
            issuer__a__jwks_uri=server.jwks_uri,
            **identity.service_credentials,
        )

        def issue(**claims: object) -> str:
            return server.issue("ada", claims={"iss": None, **claims})

        workload = "spiffe://acme.example/ns/shop/sa/web"
        try:
            before = identity.calls["validate"]
            assert protected.status_of(issue(sub=workload)) == 200
            assert protected.service.last["HTTP_X_USER_ID"] == workload
            assert protected.status_of(issue(sub=workload, aud="https://other.example")) == 401
            assert identity.calls["validate"] == before
            # Of others nobody here knows anything: Keystone is asked.
            assert protected.status_of(issue(sub="spiffe://evil.example/ns/shop")) == 401
            assert identity.calls["validate"] <= before + 1
            assert protected.status_of(identity.issue(project="inventory")) == 200
        finally:
            protected.close()


def test_keystone_and_an_issuer_cannot_have_one_identifier(identity: IdentityServer) -> None:
    for issuer in ("https://login.example", "https://login.example/{tenant}"):
        with pytest.raises(ConfigurationError, match="jws_issuer") as refused:
            protect_with(
                issuer__a__issuer=issuer,
                issuer__a__audience="https://inventory.example",
                **({"issuer__a__issuer_variables": "tenant:a"} if "{" in issuer else {}),
                jws_issuer=issuer.replace("{tenant}", "a"),
                **identity.service_credentials,
            )
        assert "authmw_issuer:a" in str(refused.value)

"""A service behind npm's oidc-provider: its tokens as its clients send them, bound ones too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from oslo_config import cfg
from webtest import TestApp

import authmw
from authmw.testing.dpop import DpopClient
from tests.support.certificates import Authority
from tests.support.issuers.oauth_client import find_token
from tests.support.issuers.oidc_provider import OidcProvider
from tests.support.protected import Service

INVENTORY = "https://inventory.example"


@pytest.fixture
def client(oidc_provider: OidcProvider) -> Iterator[TestApp]:
    middleware = authmw.filter_factory(
        {},
        **{
            "oslo_config_config": cfg.ConfigOpts(),
            "issuer.op.issuer": oidc_provider.issuer,
            "issuer.op.audience": INVENTORY,
        },
    )(Service())
    yield TestApp(middleware)
    middleware.close()


def test_two_lines_accept_its_tokens(oidc_provider: OidcProvider, client: TestApp) -> None:
    token = oidc_provider.ask_for_token(scope="inventory.read")["access_token"]
    client.get("/", headers={"Authorization": f"Bearer {token}"}, status=200)
    id_token = oidc_provider.log_in("ada")["id_token"]
    client.get("/", headers={"Authorization": f"Bearer {id_token}"}, status=401)
    metadata = client.get("/.well-known/oauth-protected-resource").json
    assert metadata["authorization_servers"] == [oidc_provider.issuer]


def test_client_that_knows_the_service_alone_gets_a_token_and_is_let_in(
    oidc_provider: OidcProvider, client: TestApp
) -> None:
    token = find_token(
        client,
        "/items",
        client_id="posting-robot",
        client_secret=oidc_provider.secret_of("posting-robot"),
        scope="inventory.read",
    )
    client.get("/items", headers={"Authorization": f"Bearer {token}"}, status=200)


def test_token_that_it_binds_to_a_key_needs_a_proof(
    oidc_provider: OidcProvider, client: TestApp
) -> None:
    holder = DpopClient()
    proof = holder.prove("", "POST", oidc_provider.token_endpoint, ath=None)
    answer = oidc_provider.ask_for_token(headers={"DPoP": proof})
    assert answer["token_type"] == "DPoP"
    token = answer["access_token"]
    client.get("/", headers={"Authorization": f"Bearer {token}"}, status=401)
    headers = holder.authorize(token, "GET", f"{INVENTORY}/")
    client.get("/", headers=headers, status=200)
    client.get("/", headers=headers, status=401)
    client.get("/", headers=DpopClient().authorize(token, "GET", f"{INVENTORY}/"), status=401)


def test_token_that_it_binds_to_a_certificate_needs_the_certificate(
    oidc_provider: OidcProvider, client: TestApp, tmp_path: Path
) -> None:
    pem = Authority(tmp_path, "clients").cafile.read_text()
    answer = oidc_provider.ask_for_token(
        "bound-robot", headers={"X-Client-Certificate": quote(pem)}
    )
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    client.get("/", headers=headers, status=401)
    client.get("/", headers=headers, extra_environ={"SSL_CLIENT_CERT": pem}, status=200)

"""A filter that refuses all tokens of an issuer for a reason of the deployment says which."""

from __future__ import annotations

import logging

import pytest

from authmw.testing.oidc_server import OidcServer
from tests.support.issuers.filter import IssuerFilter, protect_by, protect_with
from tests.support.issuers.oidc_provider import OidcProvider


def refuse(
    protected: IssuerFilter, tokens: list[str], caplog: pytest.LogCaptureFixture
) -> list[str]:
    """Send tokens that are refused; returns what is said of the deployment."""
    caplog.set_level(logging.WARNING, "authmw")
    try:
        assert [protected.status_of(token) for token in tokens] == [401] * len(tokens)
    finally:
        protected.close()
    return [line for line in caplog.messages if "may be at fault" in line]


def test_another_audience(caplog: pytest.LogCaptureFixture) -> None:
    with OidcServer() as server:
        protected = protect_by(server, issuer__a__audience="https://other.example")
        (line,) = refuse(protected, [server.issue("ada") for _ in range(3)], caplog)
    assert "The last 3 tokens of issuer a" in line
    assert "wrong_audience" in line
    assert "audience what the tokens say" in line


def test_keys_of_another_issuer(caplog: pytest.LogCaptureFixture) -> None:
    with OidcServer() as server, OidcServer() as other:
        protected = protect_by(server, issuer__a__jwks_uri=other.jwks_uri)
        (line,) = refuse(protected, [server.issue("ada") for _ in range(3)], caplog)
    assert "The last 3 tokens of issuer a" in line
    assert "bad_signature" in line
    assert "jwks_uri" in line


def test_tokens_of_oidc_provider_for_another_audience(
    oidc_provider: OidcProvider, caplog: pytest.LogCaptureFixture
) -> None:
    protected = protect_with(
        issuer__op__issuer=oidc_provider.issuer, issuer__op__audience="https://other.example"
    )
    tokens = [oidc_provider.ask_for_token()["access_token"] for _ in range(3)]
    (line,) = refuse(protected, tokens, caplog)
    assert "The last 3 tokens of issuer op" in line
    assert "wrong_audience" in line

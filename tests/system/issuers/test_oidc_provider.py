"""Tokens of npm's oidc-provider, by every grant that it has for us."""

from __future__ import annotations

import datetime
import secrets
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authmw.errors import InvalidToken, Reason
from authmw.issuers.access_token import AccessToken
from authmw.issuers.client_authentication import (
    METHODS,
    OAuthClient,
    authenticate_client,
    find_client_fault,
    make_signer,
)
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.introspection_response import verify_introspection_response
from authmw.issuers.record import Issuer
from authmw.issuers.token_body import make_token_body
from authmw.testing.signing_key import SigningKey
from tests.support.certificates import Authority
from tests.support.issuers.http_client import HttpClient
from tests.support.issuers.oidc_provider import OidcProvider
from tests.support.issuers.verification import verify_token

INVENTORY, OPAQUE = "https://inventory.example", "https://opaque.example"


def issuer_of(server: OidcProvider, audience: str = INVENTORY) -> Issuer:
    (issuer,) = make_issuers(IssuerOptions(name="op", issuer=server.issuer, audience=[audience]))
    return issuer


def introspect(server: OidcProvider, token: str, audience: str = OPAQUE) -> AccessToken:
    (issuer,) = make_issuers(
        IssuerOptions(
            name="op",
            profile="introspection",
            issuer=server.issuer,
            audience=[audience],
            claims={"user_id": ["sub", "client_id"]},  # it names no `sub` of a client
        )
    )
    answer = server.introspect(token)
    return verify_introspection_response(issuer, answer, time.time(), lifetime_seconds=60)


@pytest.mark.parametrize("resource", [INVENTORY, "https://es.example", "https://ps.example"])
def test_client_credentials_of_every_algorithm(oidc_provider: OidcProvider, resource: str) -> None:
    answer = oidc_provider.ask_for_token(resource=resource, scope="inventory.read")
    token = verify_token(issuer_of(oidc_provider, resource), answer["access_token"])
    assert token.oauth_scope == {"inventory.read"}
    assert token.client_id == "robot"
    body = make_token_body(token)
    assert body["user"] == {"id": "robot"}
    assert body["roles"] == [{"name": "member"}]


def test_token_for_another_resource_is_refused(oidc_provider: OidcProvider) -> None:
    token = oidc_provider.ask_for_token(resource="https://es.example")["access_token"]
    with pytest.raises(InvalidToken) as refused:
        verify_token(issuer_of(oidc_provider), token)
    assert refused.value.reason is Reason.WRONG_AUDIENCE


def test_user_who_logged_in_has_an_access_token_and_an_id_token_that_is_none(
    oidc_provider: OidcProvider,
) -> None:
    answer = oidc_provider.log_in("ada")
    token = verify_token(issuer_of(oidc_provider), answer["access_token"])
    assert make_token_body(token)["user"] == {"id": "ada"}
    for audience in (INVENTORY, "web"):  # the client's, which an operator might configure
        with pytest.raises(InvalidToken) as refused:
            verify_token(issuer_of(oidc_provider, audience), answer["id_token"])
        assert refused.value.reason is Reason.ID_TOKEN


def test_token_that_is_bound_to_a_key_says_so(oidc_provider: OidcProvider) -> None:
    key = SigningKey.generate("dpop")
    public = {name: key.jwk()[name] for name in ("kty", "crv", "x", "y")}
    claims = {"htm": "POST", "htu": oidc_provider.token_endpoint, "iat": int(time.time())}
    proof = key.sign({**claims, "jti": "of a test"}, typ="dpop+jwt", kid=None, jwk=public)
    answer = oidc_provider.ask_for_token(headers={"DPoP": proof})
    assert answer["token_type"] == "DPoP"
    token = verify_token(issuer_of(oidc_provider), answer["access_token"])
    assert token.key_thumbprint is not None
    # The proof itself is no token, though it is a JWT with a good signature.
    with pytest.raises(InvalidToken, match="typ"):
        verify_token(issuer_of(oidc_provider), proof)


def test_token_that_is_bound_to_a_certificate_says_so(
    oidc_provider: OidcProvider, tmp_path: Path
) -> None:
    pem = Authority(tmp_path, "clients").cafile.read_text()
    header = {"X-Client-Certificate": quote(pem)}
    answer = oidc_provider.ask_for_token("bound-robot", headers=header)
    token = verify_token(issuer_of(oidc_provider), answer["access_token"])
    assert token.thumbprint is not None
    assert make_token_body(token)["oauth2_credential"] == {"x5t#S256": token.thumbprint}


def test_opaque_token_is_introspected_until_it_is_revoked(oidc_provider: OidcProvider) -> None:
    opaque = oidc_provider.ask_for_token(resource=OPAQUE)["access_token"]
    assert "." not in opaque
    body = make_token_body(introspect(oidc_provider, opaque))
    assert body["user"] == {"id": "robot"}
    assert body["roles"] == [{"name": "member"}]
    with pytest.raises(InvalidToken) as refused:
        introspect(oidc_provider, opaque, INVENTORY)
    assert refused.value.reason is Reason.WRONG_AUDIENCE
    oidc_provider.revoke(opaque)
    with pytest.raises(InvalidToken) as refused:
        introspect(oidc_provider, opaque)
    assert refused.value.reason is Reason.NOT_FOUND


def test_opaque_token_of_a_user_is_introspected(oidc_provider: OidcProvider) -> None:
    opaque = oidc_provider.log_in("ada", resource=OPAQUE)["access_token"]
    assert make_token_body(introspect(oidc_provider, opaque))["user"] == {"id": "ada"}


@pytest.mark.parametrize("method", METHODS)
def test_introspection_is_authenticated_in_every_way(
    oidc_provider: OidcProvider, method: str
) -> None:
    robots = {
        "client_secret_basic": "robot",
        "client_secret_post": "posting-robot",
        "client_secret_jwt": "signing-robot",
        "private_key_jwt": "asserting-robot",
        "tls_client_auth": "tls-robot",
    }
    pem = oidc_provider.client_key.private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    client = OAuthClient(
        client_id=robots[method],
        method=method,
        secret=oidc_provider.secret_of(robots[method]),
        sign=make_signer(pem, "ES256"),
        algorithm="HS256" if method == "client_secret_jwt" else "ES256",
        audience=oidc_provider.issuer,
    )
    assert find_client_fault(client) is None
    opaque = oidc_provider.ask_for_token(resource=OPAQUE)["access_token"]
    said = authenticate_client(client, time.time(), secrets.token_hex(8))
    headers = dict(said.headers)
    if method == "tls_client_auth":
        headers["X-Client-Certificate"] = quote(certificate_of("tls-robot"))
    endpoint = oidc_provider.introspection_endpoint
    answer = HttpClient().post(endpoint, {**said.form, "token": opaque}, headers)
    assert answer.json()["active"] is True
    # And without it nobody is told anything.
    assert HttpClient().post(endpoint, {"token": opaque}).status in (400, 401)


def certificate_of(name: str) -> str:
    """Return a certificate whose subject is CN=name, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key())
    builder = builder.serial_number(1).not_valid_before(now)
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

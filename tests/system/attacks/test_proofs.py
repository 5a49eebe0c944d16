"""Tokens and proofs of an issuer's client, and everything a stranger makes of them."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authmw.checks.dpop import hash_token
from authmw.testing.dpop import DpopClient
from authmw.testing.oidc_server import OidcServer
from tests.support.issuers.filter import IssuerFilter, protect_by

CLIENT = DpopClient()
URL = "https://inventory.example/items"
MARK = "s3cr3t-of-a-client"

VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 1e308, 10**400, "", MARK, [], [MARK], {}, {"a": MARK}, "x" * 2000),
    *("\x00", "a\r\nb", "é", "GET", "get", "POST", "none", "HS256", "RS256", "ES384", "Ed25519"),
    *("JWT", "at+jwt", "DPOP+JWT", URL, URL + "/", URL + "?a", "https://[::1/items", "//items"),
    *("https://inventory.example:99999/items", "https://inventory.example\\@evil.example/items"),
    *("https://inventory.example/%69tems", "http://inventory.example/items", "https:items"),
)
CLAIMS = st.dictionaries(
    st.sampled_from(("jti", "htm", "htu", "iat", "ath", "nonce", "exp")),
    st.sampled_from(VALUES),
    max_size=2,
)
HEADER = st.dictionaries(
    st.sampled_from(("alg", "typ", "kid", "crit", "b64", "cty", "x5c", "jwk")),
    st.sampled_from(VALUES),
    max_size=1,
)
JWK = st.dictionaries(
    st.sampled_from(("kty", "crv", "x", "y", "d", "n", "e", "k", "use", "key_ops", "alg")),
    st.sampled_from(VALUES),
    max_size=1,
)
SCHEMES = st.sampled_from(("Bearer", "bearer", "DPoP", "dpop", "DPoP ", "Basic", "", "\tDPoP"))
# What is done to the text of a token or a proof.
MANGLING = st.sampled_from(
    ("{}", "{}", "{}", "{}", "{},{}", "{} {}", "{}.{}", ".{}", "{}.", "{}=", "{}\xa0", "\xff{}")
)
# The same to RFC 9449 and RFC 3986.
EQUAL = {"htu": [URL, URL + "?a", "https://inventory.example/%69tems"], "htm": ["GET"]}
FREE = {"nonce", "exp", "jti"}


@pytest.fixture(scope="module")
def server() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.fixture(scope="module")
def protected(server: OidcServer) -> Iterator[IssuerFilter]:
    made = protect_by(server)
    yield made
    made.close()


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    claims=CLAIMS,
    header=HEADER,
    jwk=JWK,
    scheme=SCHEMES,
    of_token=MANGLING,
    of_proof=MANGLING,
    where=st.sampled_from(("HTTP_AUTHORIZATION", "HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN")),
    is_bound=st.booleans(),
)
def test_nothing_passes_that_is_no_proof_and_nothing_is_written_down(
    server: OidcServer,
    protected: IssuerFilter,
    caplog: pytest.LogCaptureFixture,
    *,
    claims: dict[str, Any],
    header: dict[str, Any],
    jwk: dict[str, Any],
    scheme: str,
    of_token: str,
    of_proof: str,
    where: str,
    is_bound: bool,
) -> None:
    bound_to = {"key_thumbprint": CLIENT.thumbprint} if is_bound else {}
    token = server.issue("ada", **bound_to)
    proof = make_proof(token, claims, header, jwk)
    shown = of_token.replace("{}", token)
    environ = {
        "PATH_INFO": "/items",
        "HTTP_DPOP": of_proof.replace("{}", proof),
        where: f"{scheme} {shown}" if where == "HTTP_AUTHORIZATION" else shown,
    }
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "authmw"):
        answer = protected.app.get("/items", extra_environ=environ, status="*")
    assert answer.status_int in (200, 401)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    for text in (caplog.text, str(answer.headers), answer.text):
        assert MARK not in text
        assert not [part for part in token.split(".") + proof.split(".") if part in text]
    if answer.status_int == 200:
        assert is_bound
        assert where == "HTTP_X_AUTH_TOKEN" or scheme.strip().lower() == "dpop"
        assert header.get("typ", "DPOP+JWT") == "DPOP+JWT"
        # None leaves a parameter out.
        said = {name for name, value in header.items() if value is not None}
        assert not said - {"kid", "x5c", "typ"}
        for name, value in claims.items():
            assert name in FREE or value in EQUAL.get(name, ())


def make_proof(
    token: str, claims: dict[str, Any], header: dict[str, Any], jwk: dict[str, Any]
) -> str:
    whole = {
        "jti": secrets.token_urlsafe(9),
        "htm": "GET",
        "htu": URL,
        "iat": int(time.time()),
        "ath": hash_token(token),
        **claims,
    }
    members = {"typ": "dpop+jwt", "kid": None, "jwk": {**CLIENT.jwk, **jwk}, **header}
    return CLIENT.key.sign(whole, **members)


def test_every_scheme_of_a_folded_header_is_refused(
    server: OidcServer, protected: IssuerFilter
) -> None:
    """Servers join two fields of one name with a comma (RFC 9110 §5.2)."""
    bound = server.issue("ada", key_thumbprint=CLIENT.thumbprint)
    free = server.issue("grace")
    for folded in (f"Bearer {free},DPoP {bound}", f"DPoP {bound}, Bearer {free}"):
        environ = {"HTTP_AUTHORIZATION": folded, "HTTP_DPOP": CLIENT.prove(bound, "GET", URL)}
        assert protected.app.get("/items", extra_environ=environ, status="*").status_int == 401


def test_unsigned_tokens_of_every_kind_are_refused(
    server: OidcServer, protected: IssuerFilter
) -> None:
    token = server.issue("ada")
    _, payload, signature = token.split(".")
    jwe = ".".join((b64({"alg": "dir", "enc": "A128GCM"}), "", payload, payload, signature))
    for forged in (
        jwe,
        f"{b64({'alg': 'none', 'typ': 'at+jwt'})}.{payload}.",
        f"{b64({'alg': 'HS256', 'typ': 'at+jwt'})}.{payload}.{signature}",
        f"{b64({'alg': 'ES256', 'typ': 'at+jwt', 'cty': 'JWT'})}.{payload}.{signature}",
        f"{token}.{signature}",
        f"{payload}.{signature}",
    ):
        assert protected.status_of(forged) == 401


def b64(members: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()

"""Answers that an issuer, or somebody in its place, should never give."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Iterator

import jwt
import pytest

from authmw.testing.oidc_server import OidcServer
from tests.support.issuers.filter import protect_by, protect_with
from tests.support.misbehaving import (
    Behaviour,
    MisbehavingIdentity,
    Stage,
    answer,
    drip_body,
    redirect,
    send_and_hang_up,
    send_without_end,
)

# Hours may pass until a test runs.
NOW = int(time.time())
DAY = 86_400
ACTIVE: dict[str, object] = {"active": True, "sub": "ada", "client_id": "c", "exp": NOW + DAY}
ISSUER = "https://login.example"
AUDIENCE = "https://inventory.example"
PLAIN = json.dumps({**ACTIVE, "aud": AUDIENCE}).encode()


def say(**changes: object) -> Behaviour:
    said = {**ACTIVE, "aud": AUDIENCE, **changes}
    return answer(200, {name: value for name, value in said.items() if value is not None})


def encoded(body: bytes, coding: str) -> Behaviour:
    return answer(200, body, headers={"Content-Encoding": coding})


# What the answer is, and the status of the request whose token was asked about.
ANSWERS: dict[str, tuple[Behaviour, int]] = {
    "as it should be": (say(), 200),
    "no exp": (say(exp=None), 200),
    "gzip, though nobody asked for it": (encoded(gzip.compress(PLAIN), "gzip"), 200),
    "as HTML": (answer(200, PLAIN, content_type="text/html"), 200),
    "not active": (say(active=False), 401),
    "expired": (say(exp=NOW - 1), 401),
    "not yet valid": (say(nbf=NOW + DAY), 401),
    "issued in the future": (say(iat=NOW + DAY), 401),
    "of another issuer": (say(iss="https://other.example"), 401),
    "of the issuer with a slash": (say(iss=f"{ISSUER}/"), 401),
    "for others": (say(aud="https://other.example"), 401),
    "for nobody": (say(aud=None), 401),
    "for an object": (say(aud={"a": AUDIENCE}), 401),
    "a refresh token": (say(token_type="refresh_token"), 401),
    "an ID token": (say(nonce="n"), 401),
    "active as text": (say(active="true"), 503),
    "active as a number": (say(active=1), 503),
    "active as a list": (say(active=[True]), 503),
    "active missing": (say(active=None), 503),
    "active and not active": (answer(200, PLAIN[:-1] + b', "active": false}'), 503),
    "not active and active": (answer(200, b'{"active": false, ' + PLAIN[1:]), 503),
    "exp twice": (answer(200, PLAIN[:-1] + b', "exp": 99999999999}'), 503),
    "exp as text": (say(exp=str(NOW + DAY)), 503),
    "exp not a number": (answer(200, PLAIN[:-1] + b', "iat": NaN}'), 503),
    "exp without end": (answer(200, PLAIN[:-1] + b', "iat": 1e999}'), 503),
    "a number of 10,000 digits": (
        answer(200, PLAIN[:-1] + b', "iat": ' + b"9" * 10_000 + b"}"),
        503,
    ),
    "sub as a list": (say(sub=["ada"]), 503),
    "a lone surrogate": (answer(200, PLAIN[:-1] + rb', "x": "\ud800"}'), 503),
    "10 MB": (say(padding="x" * 10_000_000), 503),
    "1 MB of brackets": (say(padding=[[]] * 250_000), 503),
    "compressed twice": (encoded(gzip.compress(gzip.compress(PLAIN)), "gzip, gzip"), 503),
    "compressed, 200 MB": (encoded(gzip.compress(b" " * 200_000_000, 1), "gzip"), 503),
    "in an unknown coding": (encoded(PLAIN, "br"), 503),
    "without end": (send_without_end, 503),
    "byte by byte": (drip_body, 503),
    "elsewhere": (redirect("http://169.254.169.254/latest/meta-data"), 503),
    "another way": (redirect("/other"), 503),
    "in a file": (redirect("file:///etc/passwd"), 503),
    "at no address": (send_and_hang_up(b"HTTP/1.1 302 Found\r\nLocation: /\xff\r\n\r\n"), 503),
    "signed (RFC 9701)": (
        answer(200, b"e30.e30.e30", content_type="application/token-introspection+jwt"),
        503,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_judged(name: str) -> None:
    behaviour, status = ANSWERS[name]
    with MisbehavingIdentity({Stage.OTHER: behaviour}).served() as server:
        protected = protect_with(
            issuer__a__issuer=ISSUER,
            issuer__a__audience=AUDIENCE,
            issuer__a__profile="introspection",
            issuer__a__introspection_endpoint=f"{server.url}/introspect",
            issuer__a__client_id="c",
            issuer__a__client_secret="a secret",
            http_request_max_retries="0",
            identity_deadline="2",
        )
        try:
            began = time.monotonic()
            assert protected.status_of("opaque") == status
            assert time.monotonic() - began < 5
            assert len(protected.service.seen) == (status == 200)
        finally:
            protected.close()
        assert {(seen.method, seen.path) for seen in server.seen} == {("POST", "/introspect")}


OCT = {"kty": "oct", "kid": "key-1", "alg": "HS256", "k": "c2VjcmV0" * 6}
# What an issuer gives out in place of its discovery document or its keys.
DOCUMENTS: dict[str, Behaviour] = {
    "10 MB": answer(200, {"issuer": "x", "keys": [], "padding": "x" * 10_000_000}),
    "brackets": answer(200, b"[" * 200_000),
    "objects in objects": answer(200, b'{"keys": ' + b'{"a":' * 100_000),
    "compressed, 200 MB": encoded(gzip.compress(b" " * 200_000_000, 1), "gzip"),
    "compressed twice": encoded(gzip.compress(gzip.compress(b"{}")), "gzip, gzip"),
    "without end": send_without_end,
    "byte by byte": drip_body,
    "elsewhere": redirect("http://169.254.169.254/latest/meta-data"),
    "around": redirect("/jwks"),
    "at no address": send_and_hang_up(b"HTTP/1.1 302 Found\r\nLocation: /\xff\r\n\r\n"),
    "as HTML": answer(200, b"<!DOCTYPE html>", content_type="text/html"),
    "nothing": answer(200),
    "null": answer(200, b"null"),
    "404": answer(404),
    "a shared secret": answer(200, {"keys": [OCT]}),
    "no keys": answer(200, {"keys": []}),
    "keys twice": answer(200, b'{"keys": [], "keys": []}'),
    "99 MB announced": send_and_hang_up(b"HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\n\r\n{"),
}


@pytest.fixture(scope="module")
def good() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


@pytest.mark.parametrize("what", ["discovery document", "keys"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_hurts_its_own_issuer_alone(name: str, what: str, good: OidcServer) -> None:
    with MisbehavingIdentity({Stage.OTHER: DOCUMENTS[name]}).served() as server:
        keys = {} if what != "keys" else {"issuer__evil__jwks_uri": f"{server.url}/jwks"}
        protected = protect_by(
            good,
            issuer__evil__issuer=server.url,
            issuer__evil__audience=good.audience,
            http_request_max_retries="0",
            identity_deadline="2",
            **keys,
        )
        try:
            assert protected.status_of(good.issue("ada")) == 200
            token = good.issue("eve", issuer=server.url)
            signed_with_secret = _sign_hs256({"iss": server.url, "aud": good.audience})
            for _ in range(2):
                began = time.monotonic()
                assert protected.status_of(token) == 503
                # Whatever the keys are: a shared secret signs no token of anybody.
                assert protected.status_of(signed_with_secret) in (401, 503)
                assert time.monotonic() - began < 5
                began = time.monotonic()
                assert protected.status_of(good.issue("ada")) == 200
                assert time.monotonic() - began < 1
        finally:
            protected.close()


def _sign_hs256(claims: dict[str, object]) -> str:
    return jwt.encode(
        {"sub": "eve", "client_id": "c", "jti": "1", "iat": NOW, "exp": NOW + DAY, **claims},
        base64.urlsafe_b64decode(OCT["k"]),
        "HS256",
        headers={"kid": "key-1", "typ": "at+jwt"},
    )


def test_keys_that_change_at_each_reading_cost_others_nothing(good: OidcServer) -> None:
    with OidcServer() as evil:
        protected = protect_by(good, evil)
        try:
            known = good.issue("ada")
            assert protected.status_of(known) == protected.status_of(evil.issue("eve")) == 200
            before = good.calls["keys"]
            for _ in range(20):
                evil.rotate_key(forget_older=True)
                assert protected.status_of(evil.issue("eve")) in (200, 401)
                assert protected.status_of(known) == 200
            assert evil.calls["keys"] <= 3
            assert good.calls["keys"] == before
        finally:
            protected.close()

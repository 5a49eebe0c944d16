"""What masses of tokens that nobody issued cost, and what they leave behind."""

from __future__ import annotations

import base64
import json
import logging
import os

import pytest

from authmw.cache.memory import MemoryCache
from authmw.jose.jws import parse_protected_header
from authmw.testing import IdentityServer
from authmw.testing.issuer import Issuer
from authmw.token import Token
from authmw.token.catalog import ServiceCatalog
from tests.support.token_bodies import CATALOG, make_token
from tests.system.attacks.conftest import Aim

pytestmark = pytest.mark.both_doors


def encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def make_garbage(number: int) -> str:
    """Return a JWS that looks right, with a header of its own, signed by nobody."""
    header = encode(json.dumps({"alg": "ES256", "kid": str(number)}).encode())
    in_range = b"".join(b"\x01" + os.urandom(31) for _ in "rs")
    return f"{header}.{encode(b'{}')}.{encode(in_range)}"


def test_garbage_asks_nobody_and_is_not_remembered(
    aim_offline: Aim, server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    target = aim_offline()
    target.attack(HTTP_X_AUTH_TOKEN=make_garbage(0))  # the first request reads the keys
    server.forget_requests()
    parts = target.middleware._parts  # type: ignore[attr-defined]
    memory = parts.authenticator._resolver._memory
    caplog.clear()
    with caplog.at_level(logging.INFO):
        for number in range(1000):
            assert target.attack(HTTP_X_AUTH_TOKEN=make_garbage(number)).status == 401
    assert server.calls.total() == 0
    assert (len(memory), memory.size) == (0, 0)
    assert parse_protected_header.cache_info().currsize <= 64
    refusals = [record for record in caplog.records if record.name == "authmw.authenticator"]
    # Those of one cause are not all logged.
    assert 0 < len(refusals) < 100
    ours = [record for record in caplog.records if record.name.partition(".")[0] == "authmw"]
    # One warning, that the keys may be wrong.
    assert len([record for record in ours if record.levelno > logging.INFO]) <= 1


def test_garbage_reloads_a_jwk_set_at_most_once_in_ten_seconds(
    aim: Aim, server: IdentityServer
) -> None:
    target = aim(jws_jwks_uri=server.jwks_url, token_validation="offline")
    assert target.attack(HTTP_X_AUTH_TOKEN=make_garbage(0)).status == 401
    server.forget_requests()
    for number in range(300):
        assert target.attack(HTTP_X_AUTH_TOKEN=make_garbage(number)).status == 401
    assert server.calls["keys"] <= 2


def test_tokens_of_a_stranger_s_key_cost_the_issuer_s_nothing(
    aim_offline: Aim, server: IdentityServer
) -> None:
    """They are in the form of Keystone's own, so all that tells is the signature."""
    target = aim_offline()
    genuine = server.issue_jws("member", project="inventory")
    claims = json.loads(base64.urlsafe_b64decode(genuine.split(".")[1] + "=="))
    stranger = Issuer()
    for number in range(50):
        forged = stranger.sign({**claims, "jti": str(number)})
        assert target.attack(HTTP_X_AUTH_TOKEN=forged).status == 401
    assert server.calls["validate"] == 0
    assert target.attack(HTTP_X_AUTH_TOKEN=genuine).status == 200


def test_refused_token_of_a_bearer_does_not_end_what_is_known_of_him(
    aim_offline: Aim, server: IdentityServer
) -> None:
    """A revoked token must not make every further token of its bearer a question."""
    target = aim_offline()
    good, revoked = (server.issue_jws("member", project="inventory") for _ in range(2))
    server.revoke(revoked, cascade=False)
    assert target.attack(HTTP_X_AUTH_TOKEN=good).status == 200
    for _ in range(20):
        target.attack(HTTP_X_AUTH_TOKEN=revoked)
        assert target.attack(HTTP_X_AUTH_TOKEN=good).status == 200
    assert server.calls["validate"] == 1


def test_what_is_larger_than_the_memory_does_not_empty_it() -> None:
    """One bearer of a huge token must not make everybody else's a question."""
    memory = MemoryCache[Token](max_entries=100, max_bytes=200_000)
    for number in range(10):
        memory.put(str(number), make_token(number))
    before = memory.size
    huge = make_token(11, ServiceCatalog.from_services(CATALOG * 100))
    memory.put("huge", huge)
    assert (len(memory), memory.size, memory.get("huge")) == (10, before, None)


def test_what_grew_larger_than_the_memory_is_forgotten() -> None:
    memory = MemoryCache[Token](max_entries=100, max_bytes=200_000)
    memory.put("a", make_token())
    memory.put("a", make_token(0, ServiceCatalog.from_services(CATALOG * 100)))
    assert (len(memory), memory.size) == (0, 0)

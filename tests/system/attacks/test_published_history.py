"""Published vulnerabilities of others, tried here; `README.rst` lists all of them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.jose.algorithms import ALGORITHMS
from authmw.jose.jws import parse_compact
from authmw.testing import IdentityServer
from tests.system.attacks.conftest import Aim

pytestmark = pytest.mark.both_doors

ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return claims


@pytest.mark.parametrize("signed", [False, True])
def test_cve_2013_2104_remembered_token_ends_at_its_expiry(
    aim: Aim, aim_offline: Aim, server: IdentityServer, *, signed: bool
) -> None:
    target = (aim_offline if signed else aim)(token_cache_time="100000")
    issue = server.issue_jws if signed else server.issue
    token = issue("member", project="inventory", expires_in=600)
    assert target.attack(HTTP_X_AUTH_TOKEN=token).status == 200
    target.clock.ahead_seconds = 601
    assert target.attack(HTTP_X_AUTH_TOKEN=token).status == 401


def test_cve_2015_7546_revoked_token_is_not_good_again_in_other_bytes(
    aim: Aim, server: IdentityServer, keys: object
) -> None:
    """ECDSA: whoever has (r, s) has (r, n - s), which verifies as well."""
    target = aim(
        jws_public_key_repository=str(keys),
        revocation_poll_interval="1",
        revocation_max_staleness="600",
    )
    token = server.issue_jws("member", project="inventory")
    signing_input, _, signature = token.rpartition(".")
    r, s = decode(signature)[:32], int.from_bytes(decode(signature)[32:])
    twin = f"{signing_input}.{encode(r + (ORDER_P256 - s).to_bytes(32, 'big'))}"
    assert target.attack(HTTP_X_AUTH_TOKEN=token).status == 200
    assert target.attack(HTTP_X_AUTH_TOKEN=twin).status == 200, "its signature is good"
    server.revoke(token)
    give_up_at = time.monotonic() + 20
    while target.attack(HTTP_X_AUTH_TOKEN=token).status != 401:
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
    assert target.attack(HTTP_X_AUTH_TOKEN=twin).status == 401


@pytest.mark.parametrize("name", ALGORITHMS)
def test_cve_2022_21449_signature_of_zeros_opens_nothing(
    aim_offline: Aim, server: IdentityServer, name: str
) -> None:
    target = aim_offline(jws_accepted_algorithms=",".join(ALGORITHMS))
    claims = server.issue_jws("member", project="inventory").split(".")[1]
    header = encode(json.dumps({"alg": name, "typ": "JWT"}).encode())
    for size in (0, 1, 64, 96, 132, 256, 512):
        forged = f"{header}.{claims}.{encode(bytes(size))}"
        assert target.attack(HTTP_X_AUTH_TOKEN=forged).status in (401, 503)
    assert target.seen == []


@pytest.mark.parametrize(
    "token",
    [
        "." * 8000,
        "a" * 4000 + "." + "a" * 3999,
        "eyJhbGciOiJFUzI1NiJ9" + ".e30" * 1900,
        "e30." * 1999,
    ],
    ids=["dots", "two segments", "many segments", "many headers"],
)
def test_cve_2025_61920_segments_without_end_are_refused_unread(token: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        parse_compact(token, max_size=8000)
    assert refused.value.reason is Reason.MALFORMED


def test_cve_2025_61920_size_is_judged_before_anything_is_decoded() -> None:
    with pytest.raises(InvalidToken, match="longer than 8000 characters"):
        parse_compact("!" * 2**27, max_size=8000)


@pytest.mark.parametrize(
    "crit", [["exp"], ["b64"], ["made-up"], [], "exp", None, 7], ids=lambda crit: json.dumps(crit)
)
def test_cve_2026_32597_critical_header_parameter_is_never_passed_over(
    aim_offline: Aim, server: IdentityServer, crit: object
) -> None:
    """Even of a token that the issuer signed: we understand no extension."""
    target = aim_offline()
    claims = claims_of(server.issue_jws("member", project="inventory"))
    header = {"alg": "ES256", "typ": "JWT", "made-up": True, "crit": crit}
    assert target.attack(HTTP_X_AUTH_TOKEN=server.issuer.sign(claims, header)).status == 401
    assert target.seen == []

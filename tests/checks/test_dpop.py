"""Proofs of possession (RFC 9449): what passes, and what is wrong with everything else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from authmw.checks.dpop import (
    MAX_PROOF_SIZE,
    Nonces,
    Proof,
    ProofRules,
    PublicEndpoint,
    hash_token,
    verify_proof,
)
from authmw.errors import InvalidToken, Reason
from authmw.testing.signing_key import SigningKey
from tests.support.signing import MAKERS

NOW = 1_800_000_000.5
TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
ENDPOINT = PublicEndpoint.parse("https://resource.example.org")
TARGET = ENDPOINT.target_of("GET", "", "/protectedresource")
KEY = SigningKey.generate("client", "ES256")
RSA_KEY = SigningKey.generate("client", "RS256")

# RFC 9449 §7.1, figure "DPoP-Protected Resource Request".
RFC_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj"
    "oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z"
    "WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF"
    "c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E"
    "OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
# RFC 9449 §6.1, the `jkt` of that key.
RFC_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def public_jwk(key: SigningKey) -> dict[str, str]:
    return {name: value for name, value in key.jwk().items() if name not in ("kid", "use", "alg")}


def make_proof(key: SigningKey = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {
        "jti": "e1j3V_bKic8-LAEB",
        "htm": "GET",
        "htu": "https://resource.example.org/protectedresource",
        "iat": int(NOW),
        "ath": hash_token(TOKEN),
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not ...}
    members = {"typ": "dpop+jwt", "kid": None, "jwk": public_jwk(key), **(header or {})}
    return key.sign(claims, **members)


def check(text: str, *, rules: ProofRules | None = None, now: float = NOW, **target: str) -> Proof:
    where = TARGET
    if target:
        where = ENDPOINT.target_of(
            target.get("method", "GET"), target.get("script_name", ""), target["path_info"]
        )
    return verify_proof(text, TOKEN, where, rules or ProofRules(), now)


def find_refusal(text: str, **arguments: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        check(text, **arguments)
    assert caught.value.reason is Reason.WRONG_PROOF
    return caught.value.detail


def test_the_proof_of_the_rfc_is_good() -> None:
    proof = verify_proof(RFC_PROOF, TOKEN, TARGET, ProofRules(), 1562262618)
    assert proof.key_thumbprint == RFC_THUMBPRINT


def test_it_is_good_for_its_lifetime_and_the_skew() -> None:
    proof = check(make_proof())
    assert proof.expires_at == int(NOW) + 65
    check(make_proof(), now=int(NOW) + 64.9)
    check(make_proof(), now=int(NOW) - 5)
    assert "too old" in find_refusal(make_proof(), now=int(NOW) + 65)
    assert "future" in find_refusal(make_proof(), now=int(NOW) - 5.1)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_an_rsa_key_is_used_with_the_algorithm_of_the_header(algorithm: str) -> None:
    key = SigningKey("client", algorithm, RSA_KEY.private_key)
    assert check(make_proof(key)).key_thumbprint == check(make_proof(RSA_KEY)).key_thumbprint


CLAIM_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"jti": ...}, "'jti'"),
    ({"jti": ""}, "'jti'"),
    ({"jti": 7}, "'jti'"),
    ({"htm": ...}, "'htm'"),
    ({"htm": "POST"}, "'htm'"),
    ({"htm": "get"}, "'htm'"),
    ({"htm": ["GET"]}, "'htm'"),
    ({"htu": ...}, "'htu'"),
    ({"htu": ["https://resource.example.org/protectedresource"]}, "'htu'"),
    ({"htu": "https://resource.example.org/other"}, "another path"),
    ({"htu": "https://resource.example.org/protectedresource/"}, "another path"),
    ({"htu": "https://resource.example.org/"}, "another path"),
    ({"htu": "http://resource.example.org/protectedresource"}, "public_endpoint"),
    ({"htu": "https://resource.example.org:8443/protectedresource"}, "public_endpoint"),
    ({"htu": "https://resource.example.org:0/protectedresource"}, "public_endpoint"),
    ({"htu": "https://evil.example.org/protectedresource"}, "public_endpoint"),
    ({"htu": "https://resource.example.org.evil.example/protectedresource"}, "public_endpoint"),
    ({"htu": "https://a@resource.example.org/protectedresource"}, "no URL"),
    ({"htu": "https://resource.example.org:x/protectedresource"}, "no URL"),
    ({"htu": "https://resource.example.org/protected\nresource"}, "no URL"),
    ({"htu": "/protectedresource"}, "no URL"),
    ({"htu": "ftp://resource.example.org/protectedresource"}, "no URL"),
    ({"iat": ...}, "'iat'"),
    ({"iat": True}, "'iat'"),
    ({"iat": str(int(NOW))}, "'iat'"),
    ({"iat": 0}, "too old"),
    ({"iat": 10**30}, "future"),
    ({"ath": ...}, "'ath'"),
    ({"ath": hash_token("another")}, "'ath'"),
    ({"ath": hash_token(TOKEN) + "="}, "'ath'"),
]


@pytest.mark.parametrize(("changes", "why"), CLAIM_FAULTS)
def test_a_claim_that_is_wrong_is_named(changes: dict[str, Any], why: str) -> None:
    assert why in find_refusal(make_proof(**changes))


@pytest.mark.parametrize(
    "htu",
    [
        "HTTPS://Resource.Example.ORG/protectedresource",
        "https://resource.example.org:443/protectedresource",
        "https://resource.example.org/protectedresource?a=b",
        "https://resource.example.org/protectedresource#top",
        "https://resource.example.org/%70rotectedresource",
    ],
)
def test_urls_are_compared_after_normalization(htu: str) -> None:
    """RFC 9449 §4.3."""
    check(make_proof(htu=htu))


def test_an_empty_path_is_the_root() -> None:
    for htu in ("https://resource.example.org", "https://resource.example.org/"):
        for path in ("", "/"):
            check(make_proof(htu=htu), path_info=path)


def test_the_path_is_that_of_the_mounted_app_below_the_public_endpoint() -> None:
    endpoint = PublicEndpoint.parse("https://resource.example.org/behind/proxy/")
    target = endpoint.target_of("PUT", "/v1", "/gr\xc3\xbc\xc3\x9fe a")
    proof = make_proof(
        htm="PUT", htu="https://resource.example.org/behind/proxy/v1/gr%C3%BC%C3%9Fe%20a"
    )
    verify_proof(proof, TOKEN, target, ProofRules(), NOW)


@pytest.mark.parametrize("end", ["?", "?a=b", "#top", "/a?b=https://c"])
def test_public_endpoint_has_no_query(end: str) -> None:
    with pytest.raises(ValueError, match="query"):
        PublicEndpoint.parse("https://resource.example.org" + end)


def _hmac() -> str:
    return make_proof(header={"alg": "HS256"})


def _symmetric() -> str:
    return make_proof(header={"jwk": {"kty": "oct", "k": "c2VjcmV0"}})


def _private() -> str:
    return make_proof(header={"jwk": {**public_jwk(KEY), "d": public_jwk(KEY)["x"]}})


def _other_key() -> str:
    return make_proof(header={"jwk": public_jwk(SigningKey.generate("other"))})


def _changed_payload() -> str:
    head, _, signature = make_proof().split(".")
    other = make_proof(jti="other").split(".")[1]
    return f"{head}.{other}.{signature}"


def _rsa_under_ec_algorithm() -> str:
    return make_proof(header={"jwk": public_jwk(RSA_KEY)})


def _short_rsa() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa

    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return make_proof(SigningKey("weak", "RS256", weak))


def _none() -> str:
    head = base64.urlsafe_b64encode(
        json.dumps({"typ": "dpop+jwt", "alg": "none", "jwk": public_jwk(KEY)}).encode()
    )
    return f"{head.rstrip(b'=').decode()}.{make_proof().split('.')[1]}."


HEADER_FAULTS: dict[str, tuple[Callable[[], str], str]] = {
    "no proof": (lambda: "", "not three segments"),
    "two proofs": (lambda: f"{make_proof()},{make_proof()}", "canonical"),
    "not a JWS": (lambda: "a.b.c", "protected header"),
    "another typ": (lambda: make_proof(header={"typ": "JWT"}), "'typ'"),
    "an access token": (lambda: make_proof(header={"typ": "at+jwt"}), "'typ'"),
    "no typ": (lambda: make_proof(header={"typ": None}), "'typ'"),
    "none": (_none, "unknown algorithm"),
    "an HMAC": (_hmac, "unknown algorithm"),
    "no key": (lambda: make_proof(header={"jwk": None}), "'jwk' is missing"),
    "a key that is no object": (lambda: make_proof(header={"jwk": "x"}), "'jwk' is missing"),
    "a symmetric key": (_symmetric, "private or symmetric"),
    "a private key": (_private, "private or symmetric"),
    "another key": (_other_key, "does not verify"),
    "changed claims": (_changed_payload, "does not verify"),
    "a key of another type": (_rsa_under_ec_algorithm, "'alg' is not"),
    "a weak key": (_short_rsa, "RSA"),
    "a key with another alg": (
        lambda: make_proof(header={"jwk": {**public_jwk(KEY), "alg": "ES384"}}),
        "disagree",
    ),
    "crit": (lambda: make_proof(header={"crit": ["exp"]}), "'crit'"),
    "too long": (lambda: make_proof(jti="x" * MAX_PROOF_SIZE), "longer than"),
}


@pytest.mark.parametrize("name", HEADER_FAULTS)
def test_what_is_no_proof_of_possession_is_refused(name: str) -> None:
    make, why = HEADER_FAULTS[name]
    assert why in find_refusal(make())


def test_every_algorithm_here_is_asymmetric() -> None:
    """RFC 9449 §4.3, step 5; a new kind of key has to be thought about."""
    from authmw.jose.algorithms import ALGORITHMS

    assert {name[:2] for name in ALGORITHMS} == {"ES", "Ed", "RS", "PS"}
    assert MAKERS.keys() <= ALGORITHMS.keys()


def test_two_proofs_are_told_apart_by_key_and_jti() -> None:
    ids = {
        check(make_proof()).replay_id,
        check(make_proof(jti="other")).replay_id,
        check(make_proof(SigningKey.generate("other"))).replay_id,
    }
    assert len(ids) == 3
    assert (
        check(make_proof(htu="https://resource.example.org/protectedresource?x")).replay_id in ids
    )


def test_a_nonce_is_asked_for_where_it_is_required() -> None:
    nonces = Nonces("secret")
    rules = ProofRules(verify_nonce=nonces.verify)
    check(make_proof(nonce=nonces.make(NOW)), rules=rules)
    check(make_proof(nonce=nonces.make(NOW - 300)), rules=rules)
    wrong = (nonces.make(NOW - 600), nonces.make(NOW + 300), Nonces("other").make(NOW), "", 1, ...)
    for nonce in wrong:
        with pytest.raises(InvalidToken) as caught:
            check(make_proof(nonce=nonce), rules=rules)
        assert caught.value.reason is Reason.NO_NONCE
    check(make_proof(nonce="of another server"))


def test_no_message_holds_a_part_of_the_proof() -> None:
    for make, _ in HEADER_FAULTS.values():
        text = make()
        detail = find_refusal(text)
        assert not any(part in detail for part in text.split(".") if len(part) > 3)

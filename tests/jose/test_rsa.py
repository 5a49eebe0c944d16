"""The algorithms of RSA keys (RFC 7518 §3.3, §3.5), of which a key has one."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from authmw.errors import InvalidToken, Reason
from authmw.jose.algorithms import ALGORITHMS
from authmw.jose.jwk import parse_jwk, parse_jwk_document
from authmw.jose.jws import find_verifying_key, parse_compact
from authmw.jose.key_document import parse_key_document
from authmw.jose.key_set import KeySet
from tests.support.signing import CLAIMS, b64, private_key, public_pem, segment, verifier

NAMES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def rsa_key() -> rsa.RSAPrivateKey:
    key = private_key("RS256")
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def jwk(**members: str) -> dict[str, object]:
    numbers = rsa_key().public_key().public_numbers()
    n, e = numbers.n.to_bytes(256, "big"), numbers.e.to_bytes(3, "big")
    return {"kty": "RSA", "n": b64(n), "e": b64(e), **members}


def sign(alg: str, salt_length: int | None = None, *, header_alg: str | None = None) -> str:
    hashed = HASHES[alg[2:]]
    header = {"alg": header_alg or alg, "typ": "JWT"}
    signing_input = f"{segment(header)}.{segment(CLAIMS)}"
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if alg.startswith("PS"):
        length = hashed.digest_size if salt_length is None else salt_length
        scheme = padding.PSS(padding.MGF1(hashed), length)
    return f"{signing_input}.{b64(rsa_key().sign(signing_input.encode(), scheme, hashed))}"


def is_verified(token: str, key: dict[str, object]) -> bool:
    jws = parse_compact(token, max_size=8000)
    candidates = KeySet([parse_jwk(key, "test")]).find_candidates(jws.header.algorithm.name, None)
    return find_verifying_key(jws, candidates) is not None


@pytest.mark.parametrize("alg", NAMES)
def test_key_verifies_signatures_of_its_only_algorithm(alg: str) -> None:
    assert alg in ALGORITHMS
    for other in NAMES:
        assert is_verified(sign(alg), jwk(alg=other)) is (alg == other)


@pytest.mark.parametrize("alg", NAMES)
def test_signature_of_another_algorithm_is_not_verified_whatever_the_header_says(alg: str) -> None:
    for other in NAMES:
        assert is_verified(sign(other, header_alg=alg), jwk(alg=alg)) is (alg == other)


@pytest.mark.parametrize("alg", ["PS256", "PS384", "PS512"])
def test_salt_is_as_long_as_the_hash(alg: str) -> None:
    for salt_length in (0, 20, HASHES[alg[2:]].digest_size - 1):
        assert not is_verified(sign(alg, salt_length), jwk(alg=alg))


def test_key_that_names_no_algorithm_is_one_of_rs256() -> None:
    assert [is_verified(sign(alg), jwk()) for alg in NAMES] == [True] + [False] * 5
    (key,) = parse_key_document(public_pem("RS256"), "test").keys
    assert key.algorithm.name == "RS256"


@pytest.mark.parametrize("alg", ["RS1", "PS1", "RSA-OAEP", "RSA1_5", "ES256", "rs256", "HS256"])
def test_key_of_an_algorithm_that_rsa_keys_do_not_have_here_is_skipped(alg: str) -> None:
    document = json.dumps({"keys": [jwk(alg=alg)]}).encode()
    parsed = parse_jwk_document(document, "test")
    assert not parsed.keys
    assert "RS256 or RS384" in parsed.skipped[0].reason


@pytest.mark.parametrize("alg", NAMES[1:])
def test_algorithm_is_accepted_only_where_it_is_named(alg: str) -> None:
    key = parse_jwk(jwk(alg=alg), "test")
    with pytest.raises(InvalidToken) as refused:
        verifier(key).verify(sign(alg), CLAIMS["iat"])  # type: ignore[arg-type]
    assert refused.value.reason is Reason.BAD_SIGNATURE
    named = verifier(key, accepted=frozenset({alg}))
    assert named.verify(sign(alg), CLAIMS["iat"]).key is key  # type: ignore[arg-type]


@pytest.mark.parametrize("alg", NAMES)
def test_joserfc_and_we_agree(alg: str) -> None:
    from joserfc import jws
    from joserfc.jwk import RSAKey

    theirs = jws.serialize_compact(
        {"alg": alg}, json.dumps(CLAIMS), RSAKey.import_key(rsa_key()), algorithms=[alg]
    )
    assert is_verified(theirs, jwk(alg=alg))
    public = RSAKey.import_key(jwk())  # type: ignore[arg-type]
    assert jws.deserialize_compact(sign(alg), public, algorithms=[alg])


@pytest.mark.parametrize(
    ("use", "is_used"),
    [("sig", True), ("jwt-svid", True), ("x509-svid", False), ("enc", False), ("SIG", False)],
)
def test_key_of_a_spiffe_bundle_is_used_if_it_is_for_jwt_svids(use: str, *, is_used: bool) -> None:
    document = json.dumps(
        {
            "keys": [jwk(use=use, kid="k1", x5c="of an X.509-SVID")],
            "spiffe_sequence": 12,
            "spiffe_refresh_hint": 300,
        }
    ).encode()
    assert bool(parse_jwk_document(document, "test").keys) is is_used

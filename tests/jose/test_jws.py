"""Compact JWS: the signatures that are verified, and the forms that are refused."""

from __future__ import annotations

import hmac
import json
import pathlib
from collections.abc import Callable, Mapping

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from authmw.errors import InvalidToken, Reason
from authmw.jose.algorithms import ALGORITHMS, Ecdsa
from authmw.jose.jwk import parse_jwk
from authmw.jose.jws import find_verifying_key, parse_compact
from authmw.jose.verifier import JwsVerifier
from tests.support.signing import (
    CLAIMS,
    MAKERS,
    NOW,
    SIZES,
    Counter,
    b64,
    private_pem,
    public_key,
    public_pem,
    segment,
    sign,
    sign_octets,
    verifier,
)

VECTORS = sorted(pathlib.Path(__file__).with_name("vectors").glob("*.json"))
ECDSA = [algorithm for algorithm in ALGORITHMS.values() if isinstance(algorithm, Ecdsa)]
JOSERFC_KEYS: dict[str, Callable[[bytes], Key]] = {
    "ES256": ECKey.import_key,
    "ES384": ECKey.import_key,
    "ES512": ECKey.import_key,
    "EdDSA": OKPKey.import_key,
    "RS256": RSAKey.import_key,
}


def refuse(token: str, by: JwsVerifier | None = None, now: float = NOW) -> tuple[Reason, str]:
    """Reason and detail of the refusal; no part of the token may be in the detail."""
    with pytest.raises(InvalidToken) as refusal:
        (by or verifier(public_key("ES256"))).verify(token, now)
    assert not any(part in str(refusal.value) for part in token.split(".") if len(part) > 20)
    return refusal.value.reason, refusal.value.detail


# What is accepted


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vector_of_the_rfc_is_verified(path: pathlib.Path) -> None:
    vector = json.loads(path.read_text())
    key = parse_jwk(vector["jwk"], path.name)
    jws = parse_compact(vector["jws"], max_size=8000)
    assert find_verifying_key(jws, [key]) is key
    assert jws.payload.decode() == vector["payload"]
    assert jws.header.algorithm is key.algorithm


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vector_of_the_rfc_with_one_changed_payload_bit_is_not_verified(
    path: pathlib.Path,
) -> None:
    vector = json.loads(path.read_text())
    header, payload, signature = vector["jws"].split(".")
    other = f"{header}.{'f' if payload[0] == 'e' else 'e'}{payload[1:]}.{signature}"
    key = parse_jwk(vector["jwk"], path.name)
    assert find_verifying_key(parse_compact(other, max_size=8000), [key]) is None


@pytest.mark.parametrize("algorithm", MAKERS)
def test_token_that_pyjwt_signed_is_verified(algorithm: str) -> None:
    token = jwt.encode(CLAIMS, private_pem(algorithm), algorithm)
    verified = verifier(public_key(algorithm)).verify(token, NOW)
    assert verified.claims == CLAIMS
    assert (verified.issued_at, verified.expires_at) == (CLAIMS["iat"], CLAIMS["exp"])
    assert verified.key.source == f"{algorithm}-0"


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")  # in favour of Ed25519
@pytest.mark.parametrize("algorithm", MAKERS)
def test_token_that_joserfc_signed_is_verified(algorithm: str) -> None:
    token = joserfc_jws.serialize_compact(
        {"alg": algorithm},
        json.dumps(CLAIMS),
        JOSERFC_KEYS[algorithm](private_pem(algorithm)),
        registry=JWSRegistry(algorithms=[algorithm]),
    )
    assert verifier(public_key(algorithm)).verify(token, NOW).claims == CLAIMS


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")  # in favour of Ed25519
@pytest.mark.parametrize("algorithm", MAKERS)
def test_joserfc_and_we_agree_on_what_the_tests_sign(algorithm: str) -> None:
    token = sign(algorithm=algorithm)
    theirs = joserfc_jws.deserialize_compact(
        token,
        JOSERFC_KEYS[algorithm](public_pem(algorithm)),
        registry=JWSRegistry(algorithms=[algorithm]),
    )
    ours = verifier(public_key(algorithm)).verify(token, NOW)
    assert json.loads(theirs.payload or b"") == ours.claims


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "ES256"},
        {"alg": "ES256", "typ": "jwt"},
        {"alg": "ES256", "typ": "application/jwt"},
        {"alg": "ES256", "kid": "any"},
        {"alg": "ES256", "x-unknown": {"nested": [1]}},
    ],
    ids=str,
)
def test_header_that_changes_nothing_is_accepted(header: Mapping[str, object]) -> None:
    assert verifier(public_key("ES256")).verify(sign(header=header), NOW).claims == CLAIMS


def test_payload_with_insignificant_white_space_is_accepted() -> None:
    payload = b" \r\n\t" + json.dumps(CLAIMS, indent=2).encode() + b"\n "
    assert verifier(public_key("ES256")).verify(sign(payload), NOW).claims == CLAIMS


def test_names_beyond_ascii_are_accepted_as_utf8_and_as_escapes() -> None:
    claims = {**CLAIMS, "openstack_user_name": "Zoë 😀"}
    for ascii_only in (True, False):
        token = sign(json.dumps(claims, ensure_ascii=ascii_only).encode())
        assert verifier(public_key("ES256")).verify(token, NOW).claims == claims


# Headers that are refused, though signed by our own key

HEADERS: list[tuple[object, Reason, str]] = [
    ({"alg": "ES256", "crit": ["exp"], "exp": 1}, Reason.MALFORMED, "'crit' is not accepted"),
    ({"alg": "ES256", "crit": []}, Reason.MALFORMED, "'crit' is not accepted"),
    ({"alg": "ES256", "crit": None}, Reason.MALFORMED, "'crit' is not accepted"),
    ({"alg": "ES256", "b64": True}, Reason.MALFORMED, "'b64' is not accepted"),
    (
        {"alg": "ES256", "b64": False, "crit": ["b64"]},
        Reason.MALFORMED,
        "'crit' is not accepted",
    ),
    ({"alg": "ES256", "zip": "DEF"}, Reason.MALFORMED, "'zip' is not accepted"),
    ({"alg": "ES256", "enc": "A256GCM"}, Reason.MALFORMED, "'enc' is not accepted"),
    ({"alg": "ES256", "cty": "JWT"}, Reason.MALFORMED, "'cty' is not accepted"),
    ({"alg": "ES256", "typ": "at+jwt"}, Reason.MALFORMED, "'typ' is not JWT"),
    ({"alg": "ES256", "typ": None}, Reason.MALFORMED, "'typ' is no string"),
    ({"alg": "ES256", "typ": ["JWT"]}, Reason.MALFORMED, "'typ' is no string"),
    ({"alg": "ES256", "typ": ""}, Reason.MALFORMED, "'typ' is not JWT"),
    ({"alg": "ES256", "typ": "application/at+jwt"}, Reason.MALFORMED, "'typ' is not JWT"),
    ({"alg": "ES256", "typ": "application/application/jwt"}, Reason.MALFORMED, "is not JWT"),
    ({"alg": "ES256", "typ": "text/jwt"}, Reason.MALFORMED, "'typ' is not JWT"),
    ({"alg": "ES256", "kid": 1}, Reason.MALFORMED, "'kid' is no string"),
    ({"typ": "JWT"}, Reason.MALFORMED, "'alg' is missing or no string"),
    ({"alg": None}, Reason.MALFORMED, "'alg' is missing or no string"),
    ({"alg": ["ES256"]}, Reason.MALFORMED, "'alg' is missing or no string"),
    ({"alg": "es256"}, Reason.BAD_SIGNATURE, "unknown algorithm"),
    ({"alg": ""}, Reason.BAD_SIGNATURE, "unknown algorithm"),
    ({"alg": "none"}, Reason.BAD_SIGNATURE, "unknown algorithm"),
    ({"alg": "NONE"}, Reason.BAD_SIGNATURE, "unknown algorithm"),
    ({"alg": "HS256"}, Reason.BAD_SIGNATURE, "unknown algorithm"),
    ({"alg": "RS1"}, Reason.BAD_SIGNATURE, "unknown algorithm"),
    ({"alg": "ES256K"}, Reason.BAD_SIGNATURE, "unknown algorithm"),
    (b'{"alg":"ES256","alg":"ES256"}', Reason.MALFORMED, "a member name is repeated"),
    (b'{"alg":"ES256","\\u0061lg":"ES256"}', Reason.MALFORMED, "a member name is repeated"),
    (b'{"alg":"ES256","x":{"y":1,"y":2}}', Reason.MALFORMED, "a member name is repeated"),
    (b'{"alg":"ES256","x":NaN}', Reason.MALFORMED, "NaN and Infinity are not JSON"),
    (b'{"alg":"ES256","x":"\\ud800"}', Reason.MALFORMED, "a string is not Unicode text"),
    (b'\xef\xbb\xbf{"alg":"ES256"}', Reason.MALFORMED, "not one JSON object"),
    (b'{"alg":"ES256"}{}', Reason.MALFORMED, "not one JSON object"),
    (b'{"alg":"ES256",}', Reason.MALFORMED, "not one JSON object"),
    (b'["alg","ES256"]', Reason.MALFORMED, "not one JSON object"),
    (b'"ES256"', Reason.MALFORMED, "not one JSON object"),
    (b"", Reason.MALFORMED, "not one JSON object"),
    (b'{"alg":"ES256\xff"}', Reason.MALFORMED, "a string is not Unicode text"),
]


@pytest.mark.parametrize(("header", "reason", "detail"), HEADERS, ids=lambda value: str(value))
def test_header_is_refused_even_if_our_key_signed_it(
    header: Mapping[str, object] | bytes, reason: Reason, detail: str
) -> None:
    seen, message = refuse(sign(header=header))
    assert seen is reason
    assert detail in message


@pytest.mark.parametrize("parameter", ["jwk", "jku", "x5u", "x5c"])
def test_key_that_a_token_brings_along_is_never_used(parameter: str) -> None:
    stranger = public_key("ES256", 1)
    jwk = ECKey.import_key(public_pem("ES256", 1)).as_dict(private=False)
    header = {"alg": "ES256", "kid": stranger.thumbprint, parameter: jwk}
    assert refuse(sign(header=header, number=1)) == (
        Reason.BAD_SIGNATURE,
        "no public key verifies the signature",
    )
    # Nor does it matter in a token that is ours.
    assert verifier(public_key("ES256")).verify(sign(header=header), NOW).claims == CLAIMS


# Algorithms


def test_hs256_with_the_public_key_as_the_secret_is_refused() -> None:
    signing_input = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{segment(CLAIMS)}"
    mac = hmac.digest(public_pem("ES256"), signing_input.encode(), "sha256")
    reason, detail = refuse(f"{signing_input}.{b64(mac)}")
    assert (reason, detail) == (
        Reason.BAD_SIGNATURE,
        "signed with an unknown algorithm, or not at all",
    )


@pytest.mark.parametrize("signature", ["", "AA", None])
def test_unsigned_token_is_refused(signature: str | None) -> None:
    unsigned = f"{segment({'alg': 'none'})}.{segment(CLAIMS)}"
    assert refuse(unsigned if signature is None else f"{unsigned}.{signature}")


@pytest.mark.parametrize("claimed", MAKERS)
@pytest.mark.parametrize("actual", MAKERS)
def test_header_selects_among_keys_and_never_what_is_done_with_one(
    claimed: str, actual: str
) -> None:
    token = sign(header={"alg": claimed}, algorithm=actual)
    every_key = verifier(*(public_key(algorithm) for algorithm in MAKERS))
    if claimed == actual:
        assert every_key.verify(token, NOW).key.algorithm.name == actual
    else:
        refuse(token, every_key)


def test_algorithm_that_is_not_accepted_is_refused_though_there_is_a_key() -> None:
    only_es256 = verifier(public_key("EdDSA"), accepted=frozenset({"ES256"}))
    assert refuse(sign(algorithm="EdDSA"), only_es256) == (
        Reason.BAD_SIGNATURE,
        "EdDSA is not in jws_accepted_algorithms",
    )


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("of_key", ["EdDSA", "Ed25519"])
def test_ed25519_and_eddsa_are_two_names_of_one_algorithm(alg: str, of_key: str) -> None:
    """RFC 9864 §2.2."""
    members = OKPKey.import_key(public_pem("EdDSA")).as_dict(private=False)
    by = verifier(parse_jwk({**members, "alg": of_key, "kid": None}, "a set"))
    token = sign(header={"alg": alg}, algorithm="EdDSA")
    assert by.verify(token, NOW).key.algorithm.name == "EdDSA"
    assert refuse(sign(header={"alg": alg}, algorithm="EdDSA", number=1), by)
    assert refuse(sign(header={"alg": "Ed448"}, algorithm="EdDSA"), by)


# Signatures


@pytest.mark.parametrize("algorithm", ECDSA, ids=lambda algorithm: algorithm.name)
def test_r_and_s_out_of_range_are_refused_before_any_key_is_tried(algorithm: Ecdsa) -> None:
    signing_input = f"{segment({'alg': algorithm.name})}.{segment(CLAIMS)}"
    size, order = len(algorithm.order), int.from_bytes(algorithm.order)
    good = sign_octets(signing_input.encode(), algorithm.name)
    r, s = good[:size], good[size:]
    top = 256**size - 1
    by = verifier(public_key(algorithm.name))
    assert by.verify(f"{signing_input}.{b64(r + s)}", NOW).claims == CLAIMS
    for bad in (0, order, order + 1, top):
        octets = bad.to_bytes(size, "big")
        for signature in (octets + s, r + octets, octets + octets):
            assert refuse(f"{signing_input}.{b64(signature)}", by) == (
                Reason.MALFORMED,
                "not an ECDSA signature of this curve",
            )


@pytest.mark.parametrize("algorithm", ECDSA, ids=lambda algorithm: algorithm.name)
def test_der_signature_is_refused(algorithm: Ecdsa) -> None:
    signing_input = f"{segment({'alg': algorithm.name})}.{segment(CLAIMS)}"
    raw = sign_octets(signing_input.encode(), algorithm.name)
    r, s = (int.from_bytes(half) for half in (raw[: len(raw) // 2], raw[len(raw) // 2 :]))
    der = encode_dss_signature(r, s)
    token = f"{signing_input}.{b64(der)}"
    assert refuse(token, verifier(public_key(algorithm.name)))[0] is Reason.MALFORMED


@pytest.mark.parametrize("algorithm", MAKERS)
def test_signature_of_another_length_is_refused(algorithm: str) -> None:
    token = sign(algorithm=algorithm)
    signing_input, _, _ = token.rpartition(".")
    good = sign_octets(signing_input.encode(), algorithm)
    counter = Counter()
    by = verifier(counter.watch(public_key(algorithm)))
    # With leading zeros kept or dropped, r and s would stay the same numbers.
    for signature in (b"", good[:-1], good[1:], good + b"\0", b"\0" + good, good + good):
        refuse(f"{signing_input}.{b64(signature)}", by)
    if algorithm != "RS256":  # whose length depends on the key
        assert counter.tried == []


@given(st.data(), st.sampled_from(ECDSA))
def test_der_encoding_is_the_one_that_cryptography_writes(
    data: st.DataObject, algorithm: Ecdsa
) -> None:
    top = int.from_bytes(algorithm.order) - 1
    powers = st.integers(0, 520).map(lambda bits: min(1 << bits, top))
    numbers = st.integers(1, top) | powers
    r, s = data.draw(numbers), data.draw(numbers)
    size = SIZES[algorithm.name]
    raw = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    assert algorithm.parse_signature(raw) == encode_dss_signature(r, s)


# Form


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda h, p, s: f"{h}.{p}", "not three segments, or no payload"),
        (lambda h, p, s: f"{h}..{s}", "not three segments, or no payload"),
        (lambda h, p, s: "..", "not three segments, or no payload"),
        (lambda h, p, s: ".", "not three segments, or no payload"),
        (lambda h, p, s: "", "not three segments, or no payload"),
        (lambda h, p, s: f"{h}.{p}.{s}.", "not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}.{s}.{s}.{s}", "not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}={s}", "not three segments, or no payload"),
        (lambda h, p, s: f"{h}=.{p}.{s}", "protected header: not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}=.{s}", "not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}.{s}==", "not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}.{s}\n", "not canonical base64url"),
        (lambda h, p, s: f"{h}. {p}.{s}", "not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}.{s[:-2]}+/", "not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}é.{s}", "not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}.{s}\ud800", "not canonical base64url"),
        (lambda h, p, s: f"{h}.{p}.{'A' * 8000}", "longer than 8000 characters"),
    ],
)
def test_malformed_token_is_refused(change: Callable[[str, str, str], str], detail: str) -> None:
    assert refuse(change(*sign().split("."))) == (Reason.MALFORMED, detail)


def test_stray_bits_in_the_last_character_are_refused() -> None:
    """86 characters carry 516 bits, of which the last 4 are nobody's (RFC 4648 §3.5)."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = sign()
    last = alphabet.index(token[-1])
    assert last % 16 == 0
    for stray in range(1, 16):
        assert refuse(token[:-1] + alphabet[last + stray])[0] is Reason.MALFORMED


def test_payload_is_not_parsed_before_its_signature_is_verified() -> None:
    assert refuse(sign(b'{"iat":NaN', number=1))[0] is Reason.BAD_SIGNATURE
    assert refuse(sign(b'{"iat":NaN'))[0] is Reason.MALFORMED

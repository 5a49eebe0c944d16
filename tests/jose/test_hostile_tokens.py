"""Any input to the verifier raises InvalidToken and nothing else, and few keys are tried."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import InvalidToken
from authmw.jose.registered_claims import ClaimRules
from tests.support.signing import (
    CLAIMS,
    MAKERS,
    NOW,
    Counter,
    b64,
    public_key,
    segment,
    sign,
    verifier,
)

GOOD = sign()
KEYS = [public_key(algorithm, number) for algorithm in MAKERS for number in (0, 1)]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["ES256", "JWT", "none", "HS256"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
header_names = st.sampled_from(["alg", "typ", "kid", "crit", "b64", "zip", "cty", "jwk"])
claim_names = st.sampled_from([*CLAIMS, "nbf", "aud", "iss", "jti"])


def verify(token: str) -> None:
    """Accept or refuse the token; no other outcome passes, nor a fifth verification."""
    counter = Counter()
    rules = ClaimRules(issuer="https://id", audience="us")
    for chosen in (rules, ClaimRules()):
        counter.tried.clear()
        by = verifier(*map(counter.watch, KEYS), max_keys=4, rules=chosen)
        with contextlib.suppress(InvalidToken):
            by.verify(token, NOW)
        assert len(counter.tried) <= 4


@given(st.text(st.characters(codec=None)) | st.text("AZaz09-_.=+/ eyJ"))
def test_any_text(token: str) -> None:
    verify(token)


@given(st.lists(st.binary(), max_size=5))
def test_any_octets_in_any_number_of_segments(segments: list[bytes]) -> None:
    verify(".".join(map(b64, segments)))


@given(st.dictionaries(header_names, json_values) | json_values)
def test_any_header_on_an_otherwise_good_token(header: object) -> None:
    verify(sign(header=json.dumps(header).encode()))


@given(st.dictionaries(claim_names | st.text(), json_values))
def test_any_claims_in_a_token_that_our_key_signed(claims: dict[str, object]) -> None:
    verify(sign(json.dumps({**CLAIMS, **claims}).encode()))


@given(st.binary())
def test_any_payload_in_a_token_that_our_key_signed(payload: bytes) -> None:
    verify(sign(payload))


@given(st.sampled_from(list(MAKERS)), st.binary(max_size=300))
def test_any_signature(algorithm: str, signature: bytes) -> None:
    verify(f"{segment({'alg': algorithm})}.{segment(CLAIMS)}.{b64(signature)}")


@given(st.integers(0, len(GOOD) - 1), st.characters(codec=None))
def test_token_with_one_changed_character_is_refused(position: int, character: str) -> None:
    other = GOOD[:position] + character + GOOD[position + 1 :]
    try:
        verifier(*KEYS).verify(other, NOW)
    except InvalidToken:
        assert other != GOOD
    else:
        assert other == GOOD


@given(st.sampled_from(list(MAKERS)), st.data())
def test_signature_with_any_changed_bit_is_refused(algorithm: str, data: st.DataObject) -> None:
    token = sign(algorithm=algorithm)
    signing_input, _, signature = token.rpartition(".")
    octets = bytearray(base64.urlsafe_b64decode(signature + "=="))
    bit = data.draw(st.integers(0, len(octets) * 8 - 1))
    octets[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidToken, match=r"^(bad_signature|malformed): "):
        verifier(*KEYS).verify(f"{signing_input}.{b64(bytes(octets))}", NOW)


@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_piece_of_a_token_is_refused_unless_it_is_all_of_it(start: int, end: int) -> None:
    piece = GOOD[start:end]
    try:
        verifier(*KEYS).verify(piece, NOW)
    except InvalidToken:
        assert piece != GOOD
    else:
        assert piece == GOOD

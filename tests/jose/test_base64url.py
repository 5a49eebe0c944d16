"""Every octet string has one accepted encoding."""

from __future__ import annotations

import base64
import contextlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.jose.base64url import decode_base64url, encode_base64url

ALPHABET = string.ascii_letters + string.digits + "-_"


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_what_is_encoded_is_decoded(octets: bytes) -> None:
    encoded = encode_base64url(octets)
    assert encoded == base64.urlsafe_b64encode(octets).decode().rstrip("=")
    assert decode_base64url(encoded) == octets


@given(st.text(alphabet=ALPHABET + "+/=! \n.\0é\ud800", max_size=12))
@settings(deadline=None, max_examples=500)
def test_what_is_decoded_is_what_the_encoder_writes(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert encode_base64url(decode_base64url(text)) == text


def test_of_all_last_characters_those_are_accepted_whose_unused_bits_are_zero() -> None:
    for stem, unused_bits in (("", 6), ("A", 4), ("AA", 2), ("AAA", 0)):
        accepted = []
        for last in ALPHABET:
            try:
                decode_base64url(stem + last)
            except ValueError:
                continue
            accepted.append(last)
        assert len(accepted) == (64 >> unused_bits if unused_bits < 6 else 0)
        assert all(encode_base64url(decode_base64url(stem + one)) == stem + one for one in accepted)


@pytest.mark.parametrize("foreign", ["+", "/", "=", "==", "!", "\n", " ", ".", "\0", "é", "\ud800"])
def test_foreign_character_is_refused_wherever_it_stands(foreign: str) -> None:
    for whole in ("", "AAAA", "AAAAAAAA", "AAA", "AA"):
        for at in range(len(whole) + 1):
            with pytest.raises(ValueError, match="not canonical"):
                decode_base64url(whole[:at] + foreign + whole[at:])

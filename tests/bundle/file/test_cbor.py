"""The encoding of rows: RFC 8949, its deterministic part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.bundle.file.cbor import LONGEST_STRING, Decoder, encode_array, encode_value
from authmw.errors import BundleUnreadable

VALUES = st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.binary(max_size=300) | st.text()


# RFC 8949, appendix A.
@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (10, "0a"),
        (23, "17"),
        (24, "1818"),
        (100, "1864"),
        (1000, "1903e8"),
        (1000000, "1a000f4240"),
        (1000000000000, "1b000000e8d4a51000"),
        (-1, "20"),
        (-10, "29"),
        (-100, "3863"),
        (-1000, "3903e7"),
        (None, "f6"),
        (b"", "40"),
        (b"\x01\x02\x03\x04", "4401020304"),
        ("", "60"),
        ("a", "6161"),
        ("IETF", "6449455446"),
        ('"\\', "62225c"),
        ("\u00fc", "62c3bc"),
        ("\u6c34", "63e6b0b4"),
        ("\U00010151", "64f0908591"),
    ],
)
def test_values_are_encoded_as_the_rfc_shows(value: object, encoded: str) -> None:
    assert encode_value(value).hex() == encoded
    assert Decoder(b"\x81" + bytes.fromhex(encoded)).read_array() == (value,)


@given(st.lists(VALUES, max_size=23).map(tuple))
def test_what_is_encoded_is_read_back(values: tuple[object, ...]) -> None:
    decoder = Decoder(encode_array(values))
    read = decoder.read_array()
    assert (read, list(map(type, read))) == (values, list(map(type, values)))
    assert decoder.is_at_end


@given(st.binary(max_size=60))
def test_hostile_bytes_are_refused_or_have_the_one_form(encoded: bytes) -> None:
    decoder = Decoder(encoded)
    try:
        values = decoder.read_array()
    except BundleUnreadable:
        return
    assert encode_array(values) == encoded[: decoder.position]


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        ("", "the end"),
        ("01", "no array"),
        ("9818" + "00" * 24, "no array"),
        ("9f00ff", "indefinite length"),
        ("811817", "shortest form"),
        ("81190017", "shortest form"),
        ("811a0000ffff", "shortest form"),
        ("811b00000000ffffffff", "shortest form"),
        ("811bffffffffffffffff", "another form"),
        ("813bffffffffffffffff", "another form"),
        ("8180", "another form"),
        ("81a0", "another form"),
        ("81f5", "another form"),
        ("81c000", "another form"),
        ("81fb7e37e43c8800759c", "another form"),
        ("8162c328", "not UTF-8"),
        ("8163eda080", "not UTF-8"),
        ("8142ff", "the end"),
        ("815b7fffffffffffffff", "another form"),
        ("815f4100ff", "indefinite length"),
    ],
)
def test_other_forms_are_refused(encoded: str, why: str) -> None:
    with pytest.raises(BundleUnreadable, match=why):
        Decoder(bytes.fromhex(encoded)).read_array()


@pytest.mark.parametrize(
    "value", [True, 1.5, 1 << 63, -(1 << 63) - 1, "\ud800", bytes(LONGEST_STRING + 1), (), {}]
)
def test_values_without_an_encoding_are_refused(value: object) -> None:
    with pytest.raises(BundleUnreadable):
        encode_array((value,))

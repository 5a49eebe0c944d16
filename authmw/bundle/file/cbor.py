"""The encoding of rows and headers: a part of deterministic CBOR (RFC 8949 §4.2.1).

Integers of 64 bits with a sign, byte strings, text, null, and arrays of these that hold no other
arrays, each in its shortest form. Equal values have equal bytes; any other form is refused.
"""

from __future__ import annotations

import struct
from typing import Final

from authmw.errors import BundleUnreadable

Value = int | bytes | str | None

# Bytes of one string; far more than any fact has.
LONGEST_STRING: Final = 1 << 20
# Items of one array.
_MOST_ITEMS: Final = 23

_NON_NEGATIVE, _NEGATIVE, _BYTES, _TEXT, _ARRAY = range(5)
_NULL: Final = b"\xf6"
# The lengths of an argument that stands in bytes of its own, by the lower five bits of the head.
_ARGUMENTS: Final = {24: (1, 24), 25: (2, 1 << 8), 26: (4, 1 << 16), 27: (8, 1 << 32)}


def _head(major: int, argument: int) -> bytes:
    high = major << 5
    if argument < 24:
        return bytes((high | argument,))
    if argument < 1 << 8:
        return bytes((high | 24, argument))
    if argument < 1 << 16:
        return struct.pack(">BH", high | 25, argument)
    if argument < 1 << 32:
        return struct.pack(">BI", high | 26, argument)
    return struct.pack(">BQ", high | 27, argument)


def encode_value(value: object) -> bytes:
    """Encode one value.

    Raises:
        BundleUnreadable: there is no encoding of it.
    """
    if value is None:
        return _NULL
    if isinstance(value, bytes):
        return _encode_string(_BYTES, value)
    if isinstance(value, str):
        try:
            return _encode_string(_TEXT, value.encode())
        except UnicodeEncodeError:
            raise BundleUnreadable("a text has half of a surrogate pair") from None
    if isinstance(value, int) and not isinstance(value, bool):
        if -(1 << 63) <= value < 1 << 63:
            return _head(_NON_NEGATIVE, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        raise BundleUnreadable("an integer has more than 64 bits")
    raise BundleUnreadable(f"a value of type {type(value).__name__} has no encoding")


def _encode_string(major: int, string: bytes) -> bytes:
    if len(string) > LONGEST_STRING:
        raise BundleUnreadable(f"a value is longer than {LONGEST_STRING} bytes")
    return _head(major, len(string)) + string


def encode_array(values: tuple[object, ...]) -> bytes:
    """Encode an array of up to 23 values.

    Raises:
        BundleUnreadable: there is no encoding of one.
    """
    return encode_array_head(len(values)) + b"".join(map(encode_value, values))


def encode_array_head(length: int) -> bytes:
    """Encode what stands before the values of an array."""
    return _head(_ARRAY, length)


class Decoder:
    """Reads arrays off the front of bytes that may be hostile.

    Args:
        encoded: all of them; their number is bounded by the caller.
    """

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._position = 0

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._position

    @property
    def is_at_end(self) -> bool:
        return self._position == len(self._encoded)

    def read_array(self) -> tuple[Value, ...]:
        """Read one array.

        Raises:
            BundleUnreadable: the bytes are cut, or not of our form.
        """
        major, length = self._read_head()
        if major != _ARRAY or length > _MOST_ITEMS:
            raise self._malformed("no array of our form")
        return tuple([self._read_value() for _ in range(length)])

    def _read_value(self) -> Value:
        encoded, position = self._encoded, self._position
        if encoded[position : position + 1] == _NULL:
            self._position = position + 1
            return None
        major, argument = self._read_head()
        if major == _NON_NEGATIVE and argument < 1 << 63:
            return argument
        if major == _NEGATIVE and argument < 1 << 63:
            return -1 - argument
        if major in (_BYTES, _TEXT) and argument <= LONGEST_STRING:
            string = self._take(argument)
            return string if major == _BYTES else self._decode_text(string)
        raise self._malformed("a value of another form")

    def _decode_text(self, string: bytes) -> str:
        try:
            return string.decode()
        except UnicodeDecodeError:
            raise self._malformed("text that is not UTF-8") from None

    def _read_head(self) -> tuple[int, int]:
        """Return the major type and the argument (RFC 8949 §3)."""
        initial = self._take(1)[0]
        major, short = initial >> 5, initial & 31
        if short < 24:
            return major, short
        if short not in _ARGUMENTS:
            raise self._malformed("an indefinite length")
        length, least = _ARGUMENTS[short]
        argument = int.from_bytes(self._take(length), "big")
        if argument < least:
            raise self._malformed("a number that is not in its shortest form")
        return major, argument

    def _take(self, length: int) -> bytes:
        end = self._position + length
        if end > len(self._encoded):
            raise self._malformed("the end")
        taken = self._encoded[self._position : end]
        self._position = end
        return taken

    def _malformed(self, found: str) -> BundleUnreadable:
        return BundleUnreadable(f"byte {self._position} is {found}")

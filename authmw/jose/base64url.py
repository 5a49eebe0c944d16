"""base64url without padding (RFC 4648 §5, RFC 7515 §2); only the canonical encoding is decoded."""

from __future__ import annotations

import string
from binascii import a2b_base64, b2a_base64

_ALPHABET = (string.ascii_letters + string.digits + "-_").encode()
# Maps every octet outside the base64url alphabet, also "+", "/" and "=", to "!", which the strict
# mode of binascii refuses.
_TO_BASE64 = bytes(
    {ord("-"): ord("+"), ord("_"): ord("/")}.get(byte, byte) if byte in _ALPHABET else ord("!")
    for byte in range(256)
)
_BASE64 = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
_PADDING = (b"", b"", b"==", b"=")  # by length modulo 4
# Likewise, the last characters whose unused bits are zero: of two characters the last four bits
# are unused, of three the last two; a single one encodes nothing.
_LAST = (_BASE64, b"", _BASE64[::16], _BASE64[::4])


def decode_base64url(text: str) -> bytes:
    """Decode base64url, and refuse every encoding but the one an encoder writes.

    RFC 4648 §3.5 lets a decoder ignore the unused bits of the last character, and Python's ignores
    foreign characters: one value would have many encodings. Padding, foreign characters and
    unused bits that are not zero are refused.

    Raises:
        ValueError: it is not canonical base64url; the message quotes nothing of it.
    """
    try:
        base64 = text.encode("ascii").translate(_TO_BASE64)
        surplus = len(base64) & 3
        if not surplus:
            return a2b_base64(base64, strict_mode=True)
        if base64[-1] in _LAST[surplus]:
            return a2b_base64(base64 + _PADDING[surplus], strict_mode=True)
    except ValueError:  # UnicodeEncodeError and binascii.Error, whose messages quote the text
        pass
    raise ValueError("not canonical base64url")


def encode_base64url(octets: bytes) -> str:
    """Encode as base64url without padding."""
    encoded = b2a_base64(octets, newline=False).decode("ascii")
    return encoded.rstrip("=").replace("+", "-").replace("/", "_")

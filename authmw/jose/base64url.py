"""base64url without padding (RFC 4648 §5, RFC 7515 §2); only the canonical encoding is decoded."""

from __future__ import annotations

import binascii
import string

_ALPHABET = (string.ascii_letters + string.digits + "-_").encode()
# Maps every octet outside the base64url alphabet, also "+", "/" and "=", to "!". No encoder writes
# "!", so the comparison with the encoder's output fails.
_TO_BASE64 = bytes(
    {ord("-"): ord("+"), ord("_"): ord("/")}.get(byte, byte) if byte in _ALPHABET else ord("!")
    for byte in range(256)
)
_PADDING = (b"", b"===", b"==", b"=")  # by length modulo 4


def decode_base64url(text: str) -> bytes:
    """Decode base64url, and refuse every encoding but the one an encoder writes.

    RFC 4648 §3.5 lets a decoder ignore the unused bits of the last character, and Python's ignores
    foreign characters: one value would have many encodings. The result is encoded again and
    compared, so that padding, foreign characters and unused bits are refused.

    Raises:
        ValueError: it is not canonical base64url; the message quotes nothing of it.
    """
    try:
        base64 = text.encode("ascii").translate(_TO_BASE64)
        base64 += _PADDING[len(base64) & 3]
        decoded = binascii.a2b_base64(base64)
        if binascii.b2a_base64(decoded, newline=False) == base64:
            return decoded
    except ValueError:  # UnicodeEncodeError and binascii.Error, whose messages quote the text
        pass
    raise ValueError("not canonical base64url")


def encode_base64url(octets: bytes) -> str:
    """Encode as base64url without padding."""
    encoded = binascii.b2a_base64(octets, newline=False).decode("ascii")
    return encoded.rstrip("=").replace("+", "-").replace("/", "_")

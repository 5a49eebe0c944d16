"""What a string must be to count as a token at all, before anyone looks inside."""

from __future__ import annotations

from authmw.errors import InvalidToken, Reason


def verify_token_string(token: str, max_size: int) -> None:
    """Refuse what no header can carry; every other token is opaque here.

    Args:
        token: as WSGI delivers it: each character is one byte (PEP 3333).
        max_size: bytes.

    Raises:
        InvalidToken: (malformed) too long, or a control character, or beyond Latin-1.
    """
    if len(token) > max_size:
        raise InvalidToken(
            Reason.MALFORMED, f"{len(token)} bytes are more than max_token_size = {max_size}"
        )
    if token.isascii() and token.isprintable():
        return
    if any(char < " " or "\x7f" <= char <= "\x9f" or char > "\xff" for char in token):
        raise InvalidToken(Reason.MALFORMED, "it holds a character that no header can carry")

"""The syntax of every token string; its content is not parsed here."""

from __future__ import annotations

from authmw.errors import InvalidToken, Reason


def verify_token_string(token: str, max_size: int) -> None:
    """Refuse a string that no field value (RFC 9110 §5.5) can carry, or that is too long.

    Args:
        token: as a WSGI environ has it, one character for each byte (PEP 3333).
        max_size: bytes.

    Raises:
        InvalidToken: (malformed) it is too long, or has a control character or one beyond Latin-1.
    """
    if len(token) > max_size:
        raise InvalidToken(
            Reason.MALFORMED, f"{len(token)} bytes are more than max_token_size = {max_size}"
        )
    if token.isascii() and token.isprintable():
        return
    if any(char < " " or "\x7f" <= char <= "\x9f" or char > "\xff" for char in token):
        raise InvalidToken(Reason.MALFORMED, "it holds a character that no header can carry")

"""Expiry: a token is good up to, not including, the second it expires at."""

from __future__ import annotations

from authmw.errors import InvalidToken, Reason
from authmw.token import Token


def verify_not_expired(token: Token, now: float) -> None:
    """Refuse an expired token.

    Raises:
        InvalidToken: (expired).
    """
    if now >= token.expires_at:
        raise InvalidToken(Reason.EXPIRED, f"expired {int(now) - token.expires_at} s ago")

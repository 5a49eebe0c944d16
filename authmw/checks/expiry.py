"""Expiry: a token is valid up to, not including, the second it expires at."""

from __future__ import annotations

import enum

from authmw.errors import InvalidToken, Reason
from authmw.token import Token


class ExpiryPolicy(enum.Enum):
    """Whether a request may use an expired token.

    REFUSE_EXPIRED holds for every request but one: a user token that comes with a valid service
    token with a service role may have expired (ALLOW_EXPIRED), since a long-running operation
    may outlive the token it began with (Identity API v3, `allow_expired` of "Validate and show
    information for token").
    """

    REFUSE_EXPIRED = "refuse_expired"
    ALLOW_EXPIRED = "allow_expired"


def verify_not_expired(token: Token, now: float) -> None:
    """Refuse an expired token.

    Raises:
        InvalidToken: (expired).
    """
    if now >= token.expires_at:
        raise InvalidToken(Reason.EXPIRED, f"expired {int(now) - token.expires_at} s ago")


def was_expired(token: Token) -> bool:
    """Tell whether a token had expired when it was validated (`allow_expired`)."""
    return token.answered_at >= token.expires_at


def is_conclusive(token: Token, expiry_policy: ExpiryPolicy, now: float) -> bool:
    """Tell whether an earlier validation decides on a request under this policy.

    Only the identity endpoint says whether an expired token may still be used, so a validation
    before the expiry does not tell. Under REFUSE_EXPIRED it need not: an expired token is refused.
    """
    return (
        expiry_policy is ExpiryPolicy.REFUSE_EXPIRED or now < token.expires_at or was_expired(token)
    )

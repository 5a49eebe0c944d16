"""Validation of one token: what is asked, and the protocol every validator follows."""

from __future__ import annotations

import enum
from typing import Protocol

from authmw.token import Token


class Strength(enum.Enum):
    """What a request has earned.

    CURRENT is what every request gets. ALLOW_EXPIRED is for a user token that comes with a
    valid service token with a service role: a long-running operation may outlive the token
    it began with (Identity API v3, `allow_expired` of "Validate and show information for
    token").
    """

    CURRENT = "current"
    ALLOW_EXPIRED = "allow_expired"


class Validator(Protocol):
    """Turns a token string into a Token, by whatever means."""

    def validate(self, token: str, strength: Strength, now: float, known: Token | None) -> Token:
        """Validate one token string.

        Args:
            token: as the client sent it, without surrounding white space; not looked into yet.
            strength: what the request has earned.
            now: epoch seconds.
            known: what memory holds of the token, though it is no longer fresh.

        Raises:
            InvalidToken: the token is not acceptable.
            IdentityUnavailable: nobody could say.
        """

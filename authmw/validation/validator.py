"""The protocol that every validator follows."""

from __future__ import annotations

from typing import Protocol

from authmw.checks.expiry import ExpiryPolicy
from authmw.token import Token


class Validator(Protocol):
    """Validates a token string, remotely or offline."""

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        """Validate one token string.

        Args:
            token: as the client sent it, without surrounding white space; not parsed yet.
            expiry_policy: whether the request may use an expired token.
            now: epoch seconds.
            known: the Token of an earlier validation that memory still holds; no longer fresh.

        Raises:
            InvalidToken: the token is not acceptable.
            IdentityUnavailable: the token could not be validated.
        """

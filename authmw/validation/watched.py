"""A validator whose refusals are watched for what may be the deployment's fault."""

from __future__ import annotations

from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import InvalidToken
from authmw.logs.streak import RefusalStreak
from authmw.token import Token
from authmw.validation.validator import Validator


class WatchedValidator:
    """Decides as another validator does, and tells a streak how.

    Args:
        validator: decides.
        streak: of refusals.
    """

    def __init__(self, validator: Validator, streak: RefusalStreak) -> None:
        self._validator = validator
        self._streak = streak

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        """See `authmw.validation.validator.Validator`."""
        try:
            validated = self._validator.validate(token, expiry_policy, now, known)
        except InvalidToken as refusal:
            self._streak.note_refused(token, refusal)
            raise
        self._streak.note_accepted()
        return validated

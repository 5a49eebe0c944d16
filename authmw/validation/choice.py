"""Chooses the validator of a token (`token_validation`)."""

from __future__ import annotations

from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import InvalidToken, Reason
from authmw.token import Token
from authmw.validation.validator import Validator


class ChoiceValidator:
    """Sends signed tokens to the offline validator and all others to the remote one.

    A token with a dot is a JWS; Keystone's Fernet tokens have none. A signed token that is
    refused offline is refused: if the identity endpoint were asked as well, the holder of a
    stolen, retired signing key could choose the laxer validator.

    Args:
        offline: for signed tokens.
        remote: for all others, and for expired signed ones under ALLOW_EXPIRED; None: the
            endpoint is never asked (`token_validation = offline` without credentials of our
            own).
        offline_only: whether a token that is not signed is refused.
    """

    def __init__(self, offline: Validator, remote: Validator | None, *, offline_only: bool) -> None:
        self._offline = offline
        self._remote = remote
        self._offline_only = offline_only

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        """Validate one token; see `authmw.validation.validator.Validator`."""
        if "." not in token:
            if self._remote is None or self._offline_only:
                raise InvalidToken(
                    Reason.MALFORMED, "it is not signed, and token_validation = offline"
                )
            return self._remote.validate(token, expiry_policy, now, known)
        try:
            return self._offline.validate(token, expiry_policy, now, known)
        except InvalidToken as refusal:
            if (
                refusal.reason is Reason.EXPIRED
                and expiry_policy is ExpiryPolicy.ALLOW_EXPIRED
                and self._remote is not None
            ):
                return self._remote.validate(token, expiry_policy, now, known)
            raise

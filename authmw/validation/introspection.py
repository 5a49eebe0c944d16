"""Validates opaque tokens by asking their issuer, as Keystone is asked about its own."""

from __future__ import annotations

from dataclasses import replace

from authmw.checks.expiry import ExpiryPolicy
from authmw.token import Token
from authmw.validation.validator import Validator


class IntrospectionValidator:
    """Marks tokens that one issuer answered for as that issuer's.

    Args:
        remote: asks it, or a cache in front of it.
        issuer_key: `Issuer.key` of it.
    """

    def __init__(self, remote: Validator, issuer_key: str) -> None:
        self._remote = remote
        self._issuer_key = issuer_key

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        """Validate one token; see `authmw.validation.validator.Validator`."""
        validated = self._remote.validate(token, expiry_policy, now, known)
        if validated.issuer == self._issuer_key:
            return validated
        return replace(validated, issuer=self._issuer_key)

"""Counts and times what a validator does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVarTuple, Unpack

from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.runtime.counts import Latencies
from authmw.token import Token
from authmw.validation.validator import Validator

Kind = Literal["remote", "offline", "issuer", "introspection"]
_Args = TypeVarTuple("_Args")


def measure(
    validations: Latencies,
    kind: Kind,
    issuer: str,
    validate: Callable[[Unpack[_Args]], Token],
    *args: *_Args,
) -> Token:
    """Return what `validate(*args)` returns; count and time it, by outcome.

    Args:
        validations: by kind, issuer and outcome.
        kind: of the validation.
        issuer: the name it is configured by; empty: Keystone.
        validate: does the work; raises what it raises.
        args: its arguments.
    """
    # A fault of ours, or a thread that had to end.
    outcome = "failed"
    began_at = time.perf_counter()
    try:
        validated = validate(*args)
        outcome = "accepted"
        return validated
    except InvalidToken:
        outcome = "refused"
        raise
    except IdentityUnavailable:
        outcome = "unavailable"
        raise
    finally:
        validations.observe((kind, issuer, outcome), time.perf_counter() - began_at)


class MeasuredValidator:
    """Validates as another validator does, and measures it.

    Args:
        validator: does the work.
        validations, kind, issuer: see `measure`.
    """

    def __init__(
        self, validator: Validator, validations: Latencies, kind: Kind, issuer: str = ""
    ) -> None:
        self._validator = validator
        self._validations = validations
        self._kind: Kind = kind
        self._issuer = issuer

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        """Validate one token; see `authmw.validation.validator.Validator`."""
        return measure(
            *(self._validations, self._kind, self._issuer, self._validator.validate),
            *(token, expiry_policy, now, known),
        )

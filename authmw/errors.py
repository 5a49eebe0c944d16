"""The few errors authmw raises, kept apart so that each reaches the right person.

A credential that is not acceptable (`InvalidToken`) concerns the client, an identity
service that could not be asked (`IdentityUnavailable`) concerns whoever is on call, and a
deployment that is wrong (`ConfigurationError`) concerns whoever wrote the configuration.
Only the middleware turns any of them into an HTTP status. No message ever holds a token,
a key or a secret.
"""

from __future__ import annotations

import enum


class AuthmwError(Exception):
    """Base of every error raised by authmw."""


class ConfigurationError(AuthmwError):
    """The deployment is wrong; raised when the filter is built.

    Args:
        option: name of the option at fault, as written in the configuration file.
        value: what it was set to. Pass None for a secret, or where nothing was set.
        fix: what to write instead, a whole sentence.
    """

    def __init__(self, option: str, value: object, fix: str) -> None:
        shown = "is not set" if value is None else f"= {value!r}"
        super().__init__(f"[keystone_authtoken] {option} {shown}: {fix}")
        self.option = option
        self.value = value
        self.fix = fix


class Reason(enum.Enum):
    """Why a token was refused: for logs and counters, never for the client."""

    MISSING = "missing"
    MALFORMED = "malformed"
    NOT_FOUND = "not_found"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    REVOKED = "revoked"
    BAD_SIGNATURE = "bad_signature"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_BINDING = "wrong_binding"
    ACCESS_RULE = "access_rule"
    SERVICE_ROLE = "service_role"
    UNSAFE_VALUE = "unsafe_value"


class InvalidToken(AuthmwError):
    """This credential is not acceptable: a verdict on the token, never an outage.

    Args:
        reason: the machine-readable reason.
        detail: for the log; must hold no part of a token.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class IdentityUnavailable(AuthmwError):
    """We could not find out whether the token is good; the client may try again.

    Args:
        detail: for the log: what was asked, what happened, what to do.
        retry_after: seconds, sent to the client as Retry-After.
    """

    def __init__(self, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class DeadlineExceeded(AuthmwError):
    """The deadline of a piece of work is over (`authmw.net.deadline`).

    No OSError on purpose: the libraries between socket and client would take it for a time-out
    of one step, and try again.
    """


class CacheError(AuthmwError):
    """A shared cache failed; never leaves `authmw.cache`."""

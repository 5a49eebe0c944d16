"""Logs what the filter decides about requests, at most so often for each cause."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from authmw.errors import IdentityUnavailable, InvalidToken, Outage, Reason
from authmw.logs.fields import describe_decision
from authmw.runtime.fingerprint import fingerprint
from authmw.runtime.line_limit import LineLimit, describe_left_out
from authmw.runtime.printable import printable
from authmw.token import Token

# Operators find the lines under the name of the module that decides.
_log = logging.getLogger("authmw.authenticator")

_SHOWN = "%s"
_LONGEST_REASON = 400


class DecisionLog:
    """Logs decisions; one for all requests of a filter.

    Args:
        level: of lines about refusals (`log_refusals`).
        limit: of lines; None: a new one.
    """

    def __init__(self, level: int, limit: LineLimit | None = None) -> None:
        self._level = level
        self._limit = limit or LineLimit()

    def with_level(self, level: int) -> DecisionLog:
        """Return a log with another level that shares the limit with this one."""
        return DecisionLog(level, self._limit)

    def refused(
        self,
        environ: Mapping[str, Any],
        kind: str,
        string: str,
        error: InvalidToken | IdentityUnavailable,
        token: Token | None,
    ) -> None:
        """Log that a token is not acceptable, or could not be validated.

        Args:
            environ: of the request.
            kind: "user token" or "service token".
            string: the token; its fingerprint is logged.
            error: says why.
            token: what is known of it; None: nothing.
        """
        name = fingerprint(string)
        audit_id = user_id = None
        level = self._level
        if isinstance(error, InvalidToken):
            reason, audit_id, user_id = error.reason.value, error.audit_id, error.user_id
            verdict, why = "is not acceptable", printable(str(error), _LONGEST_REASON)
        else:
            verdict = "could not be validated"
            if isinstance(error, Outage):
                # The identity client has logged address and cause.
                level, reason = logging.INFO, error.kind.lower()
                why = reason
            else:
                level, reason, why = logging.WARNING, "unavailable", error.detail
        self._write(
            level,
            (kind, reason),
            f"{kind} {name} {verdict}: {why}",
            environ,
            reason=reason,
            fingerprint=name,
            token=token,
            audit_id=audit_id,
            user_id=user_id,
        )

    def no_token(self, environ: Mapping[str, Any]) -> None:
        """Log that a request came without a token."""
        if _log.isEnabledFor(logging.DEBUG):
            fields = describe_decision(environ, reason=Reason.MISSING.value)
            log_with_fields(logging.DEBUG, "rejected: no token", fields)

    def ignored_bearer(self, environ: Mapping[str, Any]) -> None:
        """Warn that a request brought its token in a header that is not read."""
        log_with_fields(
            logging.WARNING,
            "a bearer token was ignored: set [keystone_authtoken] accept_bearer = true to take"
            " tokens from Authorization; X-Auth-Token is read",
            describe_decision(environ, reason=Reason.MISSING.value),
        )

    def service_without_role(self, environ: Mapping[str, Any], service: Token) -> None:
        """Warn that service tokens are accepted without a role."""
        log_with_fields(
            logging.WARNING,
            "a service token without any role of service_token_roles was accepted: set"
            " [keystone_authtoken] service_token_roles_required = true once every service"
            " user has such a role",
            describe_decision(environ, reason=Reason.SERVICE_ROLE.value, token=service),
        )

    def lacks_right(self, environ: Mapping[str, Any], token: Token | None, missing: str) -> None:
        """Log that `require` or `check` refused a request with a valid token.

        Args:
            environ: of the request.
            token: the user's.
            missing: what it lacks.
        """
        self._write(
            self._level,
            "lacks_right",
            f"request refused, its token lacks {missing}",
            environ,
            reason="lacks_right",
            token=token,
            is_accepted=True,
        )

    def _write(
        self, level: int, cause: object, line: str, environ: Mapping[str, Any], **known: Any
    ) -> None:
        if not _log.isEnabledFor(level):
            return
        left_out = self._limit.admit(cause)
        if left_out is not None:
            line += describe_left_out(left_out)
            log_with_fields(level, line, describe_decision(environ, **known))


def log_with_fields(
    level: int, line: str, fields: Mapping[str, object], log: logging.Logger = _log
) -> None:
    """Log a line with fields, or without where a record has a field of the same name already.

    A service may have its records made by a factory of its own, and `logging` refuses to replace
    what that has set.
    """
    try:
        log.log(level, _SHOWN, line, extra=fields)
    except KeyError:
        log.log(level, _SHOWN, line)

"""Logs an outage that a request met, with the request's fields."""

from __future__ import annotations

import logging

from authmw.logs.decisions import log_with_fields
from authmw.logs.fields import describe_decision
from authmw.runtime import request


def log_outage(log: logging.Logger, line: str, kind: str, *, is_ours: bool) -> None:
    """Log that the identity service or an issuer gave no answer.

    Args:
        log: of the client.
        line: address and cause.
        kind: of the `Outage`, for the field `reason`.
        is_ours: whether our own credentials or rights are at fault.
    """
    level = logging.ERROR if is_ours else logging.WARNING
    environ = request.current_environ()
    if environ is None:  # in the background
        log.log(level, "%s", line, extra={"reason": kind.lower()})
    else:
        fields = describe_decision(environ, reason=kind.lower())
        # While a token is validated the thread's context is of this request, and may say more.
        fields.pop("context", None)
        log_with_fields(level, line, fields, log)

"""What a failed request says about the deployment: the table of outcomes, as cause and fix."""

from __future__ import annotations

from authmw.doctor.result import Result, failed
from authmw.errors import IdentityUnavailable, Outage
from authmw.identity.outage import meaning_of

_LOOK_THERE = "look at the server there, and its log, or correct the address"


def explain_outage(check: str, error: IdentityUnavailable) -> Result:
    """Return the result of a check whose request failed."""
    if not isinstance(error, Outage):
        if not isinstance(error.__cause__, Outage):
            return failed(check, error.detail, _LOOK_THERE)
        # What was made of it says less.
        error = error.__cause__
    detail = meaning_of(error).detail
    cause, _, fix = detail.partition(": ")
    return failed(check, error.detail.replace(detail, cause, 1), fix or _LOOK_THERE)

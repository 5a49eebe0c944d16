"""Compares this host's clock with that of a server, by the Date of its answer (RFC 9110 §6.6.1)."""

from __future__ import annotations

from authmw.doctor.deployment import Deployment
from authmw.doctor.result import Results, failed, passed, warned
from authmw.identity.documents import FetchedDocument
from authmw.identity.http_messages import parse_http_date

# Date has whole seconds, and the answer was on its way.
_BLUR_SECONDS = 2
# A token ends too early or too late by as much.
_MUCH_SECONDS = 30
_FIX = "set the clocks of both hosts (chrony, systemd-timesyncd)"


def check_clock(deployment: Deployment, answer: FetchedDocument, subject: str) -> Results[None]:
    """Compare the clocks; an answer without a Date tells nothing.

    Args:
        deployment: whose clock is compared.
        answer: that has just arrived.
        subject: who sent it, for the name of the check.
    """
    date = parse_http_date(answer.headers.get("date", ""))
    # A cache on the way tells when it got the answer.
    if date is None or "age" in answer.headers:
        return
    check = f"{subject} clock"
    ahead = date - deployment.clock()
    settings = deployment.settings
    far = abs(ahead) - _BLUR_SECONDS
    cause = f"this host's clock is {abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead'}"
    if far <= 0:
        yield passed(check, "this host's clock agrees with the server's")
    elif ahead > 0 and far > settings.clock_skew_tolerance and _verifies_here(deployment):
        yield failed(
            check,
            f"{cause} and clock_skew_tolerance is {settings.clock_skew_tolerance} s: a token that "
            "was just signed seems to be from the future, and is refused",
            _FIX,
        )
    elif far > _MUCH_SECONDS:
        yield warned(check, f"{cause}: tokens end as much too early or too late", _FIX)
    else:
        yield passed(check, cause)


def _verifies_here(deployment: Deployment) -> bool:
    return deployment.settings.validates_offline or bool(deployment.settings.issuers)

"""Validates a client's token as the service would, to find what its own token does not show."""

from __future__ import annotations

from authmw.doctor.deployment import Deployment
from authmw.doctor.outages import explain_outage
from authmw.doctor.reasons import explain_refusal
from authmw.doctor.result import Results, failed, passed, skipped
from authmw.doctor.steps import run_filter
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.runtime.fingerprint import fingerprint


def check_token(deployment: Deployment) -> Results[None]:
    """Validate the token that was given, if one was."""
    check = "token"
    if deployment.token is None:
        yield skipped(check, "none was given: --token - reads one from standard input")
        return
    run = run_filter(deployment.conf, deployment.token)
    name = f"token {fingerprint(deployment.token)}"
    if run.token is not None:
        user = run.token.user
        yield passed(
            check, f"{name} of {user.name or user.id} is accepted ({run.milliseconds:.0f} ms)"
        )
        return
    error = run.error
    if isinstance(error, InvalidToken):
        yield explain_refusal(check, name, error, deployment.settings, deployment.clock())
    elif isinstance(error, IdentityUnavailable):
        yield explain_outage(check, error)
    else:
        yield failed(check, f"{name}: a service would answer {run.status}", "read its log")

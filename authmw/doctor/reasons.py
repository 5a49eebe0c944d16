"""What a refused token says about the deployment, where the token itself is known to be good."""

from __future__ import annotations

from authmw.config.settings import Settings
from authmw.doctor.result import Result, failed
from authmw.doctor.times import explain_times
from authmw.errors import InvalidToken, Reason

_FIXES = {
    Reason.BAD_SIGNATURE: "copy the public keys of the Keystone that issued it to {keys}, and "
    "compare its algorithm with jws_accepted_algorithms",
    Reason.NOT_YET_VALID: "set the clocks of this host and Keystone's (chrony)",
    Reason.EXPIRED: "set the clocks of this host and Keystone's (chrony)",
    Reason.WRONG_ISSUER: "remove jws_issuer: Keystone's tokens name no issuer",
    Reason.WRONG_AUDIENCE: "remove jws_audience, or write what the tokens say",
}


def explain_refusal(
    check: str, what: str, refusal: InvalidToken, settings: Settings, now: float
) -> Result:
    """Return the result where a good token is refused.

    Args:
        check: its name.
        what: the token, in words.
        refusal: why.
        settings: of the filter that refuses it.
        now: epoch seconds.
    """
    keys = settings.jws_public_key_repository or "where jws_jwks_uri says"
    fix = _FIXES.get(refusal.reason, "explain it with `authmw token explain`").format(keys=keys)
    return failed(check, f"{what} is refused: {explain_times(str(refusal), now)}", fix)

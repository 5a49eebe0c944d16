"""What a refused token says about the deployment, where the token itself is known to be good."""

from __future__ import annotations

from authmw.config.settings import Settings
from authmw.doctor.result import Result, failed
from authmw.doctor.times import explain_times
from authmw.errors import InvalidToken
from authmw.logs.reasons import describe_keystone_fixes


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
    fixes = describe_keystone_fixes(settings.jws_public_key_repository, settings.jws_jwks_uri)
    fix = fixes.get(refusal.reason, "explain it with `authmw token explain`")
    return failed(check, f"{what} is refused: {explain_times(str(refusal), now)}", fix)

"""What `require` and `check` answer to a request that they refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from authmw.errors import Refusal
from authmw.rejection import REQUIRES_AUTHENTICATION, render_error

_TITLES = {401: "Unauthorized", 403: "Forbidden"}
_WORDS = {
    "roles": "one of the roles {}",
    "scope": "a token scoped to a {}",
    "admin_project": "the admin project",
    "methods": "authentication by {}",
}
_SEPARATORS = {"scope": " or a ", "methods": " and "}


def refuse_unauthenticated(*, is_challenged: bool) -> Refusal:
    """Return the 401 for a request without a valid token (Identity API v3, "Errors").

    Args:
        is_challenged: whether a middleware in front adds WWW-Authenticate to every 401.
    """
    # RFC 9110 §15.5.2 wants one in every 401.
    headers = () if is_challenged else (("WWW-Authenticate", "Keystone"),)
    return Refusal(401, render_error(401, _TITLES[401], REQUIRES_AUTHENTICATION), headers)


def refuse_missing(missing: Mapping[str, Sequence[str] | Literal[True]]) -> Refusal:
    """Return the 403 that says what a valid token lacked.

    Its body is an error of the Identity API with one member more, `missing`; see
    `authmw.checks.requirements.Requirement.find_missing`.
    """
    wanted = " and ".join(
        _WORDS[name].format("" if value is True else _SEPARATORS.get(name, ", ").join(value))
        for name, value in missing.items()
    )
    message = f"This takes {wanted}."
    return Refusal(403, render_error(403, _TITLES[403], message, missing=dict(missing)))

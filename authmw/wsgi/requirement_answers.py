"""The 401, 403 and 503 of `require` and `check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from authmw.checks.requirements import Requirement
from authmw.errors import Refusal, Refused
from authmw.rejection import (
    PLACEHOLDER_CHALLENGE,
    REQUIRES_AUTHENTICATION,
    Rejection,
    describe_rejected,
    render_error,
    render_rejected,
)
from authmw.token import headers

_TITLES = {401: "Unauthorized", 403: "Forbidden"}
_ONE_ROLE = "the role {}"
_WORDS = {
    "roles": "one of the roles {}",
    "scope": "a token scoped to a {}",
    "admin_project": "the admin project",
    "methods": "authentication by {}",
    "oauth_scope": "the OAuth scope {}",
}
_SEPARATORS = {"scope": " or a ", "methods": " and ", "oauth_scope": " "}


def is_unanswered(refused: Refused, status: str) -> bool:
    """Tell whether the app's framework failed to answer a refusal, given the status it sent.

    Django has no exception that is a 401 or that takes a body: it answers PermissionDenied with
    its own 403. A framework unknown to us answers every exception with 500.
    """
    if status.startswith("500"):
        return True
    traceback = refused.__traceback__
    # The outermost frame of a traceback caught the exception. In the app's own code, the app
    # chose the answer.
    caught_in = traceback.tb_frame.f_globals.get("__name__") if traceback is not None else None
    return status.startswith("403") and caught_in in (
        "django.core.handlers.exception",
        "rest_framework.views",
    )


def refuse_without_token(environ: Mapping[str, Any]) -> Refusal:
    """Return the refusal of a request that came past a middleware, and has no valid token.

    It is a 503 if there is a token that nobody could validate: what can't be decided is no 401.
    """
    undecided: Rejection | None = environ.get(headers.UNDECIDED)
    if undecided is not None:
        return refuse_rejected(undecided)
    return refuse_unauthenticated(is_challenged=True)


def refuse_rejected(rejection: Rejection) -> Refusal:
    """Return a rejection as a refusal."""
    seconds = rejection.retry_after
    headers = () if seconds is None else (("Retry-After", str(seconds)),)
    body = render_rejected(rejection)
    return Refusal(rejection.status, body, headers, message=describe_rejected(rejection))


def refuse_unauthenticated(*, is_challenged: bool) -> Refusal:
    """Return the 401 for a request without a valid token (Identity API v3, "Errors").

    Args:
        is_challenged: whether a middleware in front adds WWW-Authenticate to every 401.
    """
    # RFC 9110 §15.5.2 requires a challenge in every 401.
    headers = () if is_challenged else (("WWW-Authenticate", PLACEHOLDER_CHALLENGE),)
    body = render_error(401, _TITLES[401], REQUIRES_AUTHENTICATION)
    return Refusal(401, body, headers, message=REQUIRES_AUTHENTICATION)


def refuse_missing(missing: Mapping[str, Sequence[str] | Literal[True]]) -> Refusal:
    """Return the 403 that lists what a valid token lacks.

    The body is an Identity API error with an added member, `missing`; see
    `authmw.checks.requirements.Requirement.find_missing`.
    """
    wanted = _describe(missing)
    message = f"This takes {wanted}."
    body = render_error(403, _TITLES[403], message, missing=dict(missing))
    oauth_scope = missing.get("oauth_scope", ())
    return Refusal(
        403,
        body,
        missing_scope=() if oauth_scope is True else tuple(oauth_scope),
        missing=wanted,
        message=message,
    )


def refuse_excess(requirement: Requirement) -> Refusal:
    """Return the 403 for a valid token that meets a requirement which it must not meet."""
    unwanted = f"a token without {_describe(requirement.list_names())}"
    message = f"This takes {unwanted}."
    body = render_error(403, _TITLES[403], message)
    return Refusal(403, body, missing=unwanted, message=message)


def _describe(names: Mapping[str, Sequence[str] | Literal[True]]) -> str:
    return " and ".join(_describe_one(name, value) for name, value in names.items())


def _describe_one(name: str, value: Sequence[str] | Literal[True]) -> str:
    if value is True:
        return _WORDS[name]
    words = _ONE_ROLE if name == "roles" and len(value) == 1 else _WORDS[name]
    return words.format(_SEPARATORS.get(name, ", ").join(value))

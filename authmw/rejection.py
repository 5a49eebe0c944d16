"""Rejections and their responses: 401, 403 and 503 as JSON, worded as Keystone's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from authmw.errors import Reason

# Environ key of the exception that `authmw.require` or `authmw.check` raised. It tells the
# middleware in front that a 401 or 403 is ours.
REFUSED: Final = "authmw.refused"

# Environ key of the `Reason` for which a request's token was refused, where the app decides.
REFUSED_FOR: Final = "authmw.refused_for"

# The challenge of a 401 that is made where nobody knows where to authenticate. A middleware in
# front replaces it by its own.
PLACEHOLDER_CHALLENGE: Final = "Keystone"

REQUIRES_AUTHENTICATION: Final = "The request you have made requires authentication."

_BODIES = {
    401: ("Unauthorized", REQUIRES_AUTHENTICATION),
    403: ("Forbidden", "The token does not say all that this service has to know."),
    503: ("Service Unavailable", "The identity service can't be asked now; try again later."),
}


class Rejection(NamedTuple):
    """The response to a request that does not reach the app.

    Attributes:
        status: 401, or 503 if the token could not be validated; 403 as the peer's filter for
            external OAuth2 servers says it.
        retry_after: seconds; None with a 401.
        reason: why the token was refused; None: there was none.
    """

    status: int
    retry_after: int | None = None
    reason: Reason | None = None


# Of a filter that can't be built. Long, as people correct the configuration.
MISCONFIGURED: Final = Rejection(503, retry_after=60)

# In place of a rejection: the request asks for the metadata of the protected resource (RFC 9728).
DESCRIBE_RESOURCE: Final = Rejection(200)


def respond(
    rejection: Rejection,
    challenges: Sequence[tuple[str, str]],
    cors: Sequence[tuple[str, str]],
    environ: dict[str, Any],
    start_response: Callable[..., Any],
) -> Iterable[bytes]:
    """Answer a rejected request (Identity API v3, "Errors", for the body).

    Args:
        rejection: status and Retry-After.
        challenges: headers of a 401: WWW-Authenticate (RFC 9110 §11.6.1).
        cors: CORS headers to add.
        environ, start_response: of the request (PEP 3333).
    """
    title = _BODIES[rejection.status][0]
    body = render_rejected(rejection)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    headers += challenges
    if rejection.retry_after is not None:
        headers.append(("Retry-After", str(rejection.retry_after)))
    start_response(f"{rejection.status} {title}", [*headers, *cors])
    # RFC 9110 §9.3.2: the same headers, and no content.
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def describe_rejected(rejection: Rejection) -> str:
    """Return the message in the body of a rejection."""
    return _BODIES[rejection.status][1]


def render_rejected(rejection: Rejection) -> bytes:
    """Return the JSON body of a rejection."""
    return render_error(rejection.status, *_BODIES[rejection.status])


def render_error(status: int, title: str, message: str, **more: object) -> bytes:
    """Return the JSON body of an error (Identity API v3, "Errors")."""
    error = {"code": status, "title": title, "message": message, **more}
    return json.dumps({"error": error}).encode()

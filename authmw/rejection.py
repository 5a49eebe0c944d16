"""The responses we make ourselves: 401 and 503 as JSON, as Keystone words them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from authmw.authenticator import Rejection

_BODIES = {
    401: ("Unauthorized", "The request you have made requires authentication."),
    503: ("Service Unavailable", "The identity service can't be asked now; try again later."),
}


def respond(
    rejection: Rejection,
    authenticate: str,
    environ: dict[str, Any],
    start_response: Callable[..., Any],
) -> Iterable[bytes]:
    """Answer a rejected request (Identity API v3, "Errors", for the body).

    Args:
        rejection: what was decided.
        authenticate: the value of WWW-Authenticate (RFC 9110 §11.6.1), sent with a 401.
        environ, start_response: of the request (PEP 3333).
    """
    # Loaded at the first rejection: it is a good part of the time a start takes.
    from webob import Response

    title, message = _BODIES[rejection.status]
    error = {"code": rejection.status, "title": title, "message": message}
    response = Response(
        status=f"{rejection.status} {title}",
        body=json.dumps({"error": error}).encode(),
        content_type="application/json",
        charset="UTF-8",
    )
    if rejection.status == 401:
        response.headers["WWW-Authenticate"] = authenticate
    if rejection.retry_after is not None:
        response.headers["Retry-After"] = str(rejection.retry_after)
    body: Iterable[bytes] = response(environ, start_response)
    return body

"""Faults of an identity service, switched on and off while it runs.

To make the server unreachable, use `IdentityServer.stop()`, which closes its socket.
"""

from __future__ import annotations

import enum
from typing import Literal

from authmw.testing.http_messages import Answer, json_answer

Call = Literal["discover", "issue", "validate", "revoke", "events", "keys", "other"]
"""What a request asks for, as far as counting and failing go."""


class Fault(enum.Enum):
    """What a request meets instead of its response.

    HANG, RESET and HALF_BODY concern the connection: nothing is sent until the fault ends; it is
    reset before a response; it ends in the middle of a response body. The others are complete
    responses of a broken service or of a proxy in front of it.
    """

    HANG = "hang"
    RESET = "reset"
    HALF_BODY = "half_body"
    ERROR_500 = "error_500"
    ERROR_503 = "error_503"
    ERROR_413 = "error_413"
    ERROR_429 = "error_429"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    HTML = "html"
    HTML_404 = "html_404"
    NOT_JSON = "not_json"
    ODD_JSON = "odd_json"
    REDIRECT = "redirect"


_HTML = b"<!DOCTYPE html><title>Sign in to the hotel network</title>"


def _error(status: int, title: str) -> Answer:
    return json_answer(status, {"error": {"code": status, "message": title, "title": title}})


CANNED_ANSWERS = {
    Fault.ERROR_500: _error(500, "Internal Server Error"),
    Fault.ERROR_503: _error(503, "Service Unavailable"),
    Fault.ERROR_413: _error(413, "Request Entity Too Large"),
    Fault.ERROR_429: _error(429, "Too Many Requests"),
    Fault.UNAUTHORIZED: _error(401, "Unauthorized"),
    Fault.FORBIDDEN: _error(403, "Forbidden"),
    Fault.HTML: Answer(200, _HTML, "text/html"),
    Fault.HTML_404: Answer(404, _HTML, "text/html"),
    Fault.NOT_JSON: Answer(200, b'{"token": {"methods": ['),
    Fault.ODD_JSON: json_answer(200, {"token": ["not", "an", "object"], "events": 7}),
    # A host under .invalid never exists (RFC 6761 §6.4), so a followed redirect fails.
    Fault.REDIRECT: Answer(302, headers={"Location": "http://elsewhere.invalid/v3/auth/tokens"}),
}

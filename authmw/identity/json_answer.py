"""What is read from the body of an answer of the identity endpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authmw.identity.outage import Outage
from authmw.identity.outcomes import Outcome

if TYPE_CHECKING:
    from requests import Response


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """A JSON object that came with status 200.

    Attributes:
        body: the object.
        date: the server's clock, from the Date header: epoch seconds, None without one.
    """

    body: dict[str, object]
    date: float | None


def parse_object(response: Response, where: str) -> dict[str, object]:
    """Return the JSON object of an answer; raises Outage for anything else."""
    try:
        parsed = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        # `from None`: the error holds the whole document.
        note = f"{len(response.content)} bytes of {response.headers.get('Content-Type', 'no type')}"
        note += ", nested too deep" if isinstance(error, RecursionError) else ""
        raise Outage(Outcome.NOT_JSON, where, note) from None
    if not isinstance(parsed, dict):
        raise Outage(Outcome.NOT_JSON, where, f"JSON, but a {type(parsed).__name__}")
    return parsed


def parse_answer(response: Response, where: str) -> IdentityAnswer:
    """Return the JSON object of an answer and when it was made; raises Outage for anything else."""
    from authmw.identity.transport import parse_http_date

    return IdentityAnswer(
        parse_object(response, where), parse_http_date(response.headers.get("Date", ""))
    )


def parse_token(answer: dict[str, object], where: str) -> dict[str, object]:
    """Return the token body; raises Outage unless there is an object under "token"."""
    body = answer.get("token")
    if not isinstance(body, dict):
        raise Outage(Outcome.NOT_A_TOKEN, where, f"there is a {type(body).__name__}")
    return body


def read_keystone_error(response: Response) -> str | None:
    """Return the message of Keystone's own error for this very status; None for any other body.

    Identity API v3, "Response status codes": {"error": {"code": 404, "message": ...}}.
    """
    try:
        error = parse_object(response, "").get("error")
    except Outage:
        return None
    if not isinstance(error, dict) or error.get("code") != response.status_code:
        return None
    message = error.get("message")
    return message if isinstance(message, str) else ""

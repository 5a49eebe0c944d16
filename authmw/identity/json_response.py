"""Reads a response of the identity endpoint: its status, its JSON object, the token in it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authmw.errors import InvalidToken
from authmw.identity.http_messages import describe, parse_http_date, parse_retry_after
from authmw.identity.keystone_error import quote_status
from authmw.identity.meaning import Verdict
from authmw.identity.outage import LONGEST_NOTE, judge_response, make_outage
from authmw.identity.outcomes import Outcome
from authmw.runtime.printable import printable

if TYPE_CHECKING:
    from requests import Response


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """A JSON object that came with status 200.

    Attributes:
        body: the object.
        date: the server's clock, from the Date header: epoch seconds, None without one.
    """

    body: dict[str, object]
    date: float | None


def raise_for_status(response: Response, *, about_token: bool) -> None:
    """Raise what a status other than 200 means: InvalidToken or Outage.

    Args:
        response: of the endpoint.
        about_token: whether a client's token was asked about; only then is it refused.
    """
    status = response.status_code
    if status == 200:
        return
    outcome = judge_response(response, about_token=about_token)
    meaning = outcome.meaning
    if meaning.verdict is Verdict.TOKEN_REFUSED:
        note = printable(quote_status(response), LONGEST_NOTE)
        raise InvalidToken(meaning.reason, f"{meaning.detail} ({note})")
    retry_after = parse_retry_after(response.headers, time.time())
    raise make_outage(outcome, describe(response.request), quote_status(response), retry_after)


def read_object(response: Response) -> dict[str, object]:
    """Return the JSON object of a response; raises Outage for anything else."""
    try:
        parsed = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        # `from None`: the error holds the whole document.
        note = f"{len(response.content)} bytes of {response.headers.get('Content-Type', 'no type')}"
        note += ", nested too deep" if isinstance(error, RecursionError) else ""
        raise make_outage(Outcome.NOT_JSON, describe(response.request), note) from None
    if not isinstance(parsed, dict):
        note = f"JSON, but a {type(parsed).__name__}"
        raise make_outage(Outcome.NOT_JSON, describe(response.request), note)
    return parsed


def read_dated_object(response: Response) -> JsonResponse:
    """Return the JSON object of a response and its date; raises Outage for anything else."""
    return JsonResponse(read_object(response), parse_http_date(response.headers.get("Date", "")))


def read_token(response: Response) -> dict[str, object]:
    """Return the token body; raises Outage unless there is an object under "token"."""
    body = read_object(response).get("token")
    if not isinstance(body, dict):
        note = f"there is a {type(body).__name__}"
        raise make_outage(Outcome.NOT_A_TOKEN, describe(response.request), note)
    return body

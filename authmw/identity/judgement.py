"""What an answer, or the lack of one, means by the table of outcomes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from authmw.errors import InvalidToken
from authmw.identity.json_answer import read_keystone_error
from authmw.identity.outage import Outage
from authmw.identity.outcome_row import Verdict
from authmw.identity.outcomes import Outcome

if TYPE_CHECKING:
    from requests import Response


def judge(response: Response, *, about_token: bool) -> str:
    """Return what was asked, for the log, if the answer has status 200.

    Raises what any other answer means: InvalidToken (only if `about_token`) or Outage.
    """
    from authmw.identity.transport import describe, parse_retry_after

    where = describe(response.request)
    status = response.status_code
    outcome = Outcome.of_status(
        status,
        about_token=about_token,
        keystone_says=read_keystone_error(response) if status in (403, 404) else None,
    )
    row = outcome.value
    if row.verdict is Verdict.ANSWERED:
        return where
    if row.verdict is Verdict.TOKEN_REFUSED:
        raise InvalidToken(row.reason, f"{row.detail} (HTTP {status})")
    retry_after = parse_retry_after(response.headers, time.time())
    raise Outage(outcome, where, f"HTTP {status}", retry_after)


def outage_of(error: Exception) -> Outage:
    """Turn an exception that is none of ours into an outage."""
    from authmw.identity.transport import parse_retry_after
    from authmw.runtime.libraries import exceptions

    outcome = Outcome.of_error(error)
    if isinstance(error, exceptions.HttpError):
        # Its text is the server's; the address may hold a query.
        where = f"{error.method} {(error.url or '').partition('?')[0]}"
        headers = error.response.headers if error.response is not None else {}
        note = f"HTTP {error.http_status}"
        return Outage(outcome, where, note, parse_retry_after(headers, time.time()))
    quotable = isinstance(error, exceptions.ClientException) and not isinstance(
        error, exceptions.ConnectionError
    )
    return Outage(outcome, note=str(error) if quotable else type(error).__name__)

"""Makes an `Outage` of a row in the table of outcomes, or of another library's exception."""

from __future__ import annotations

import re
import time

from authmw.errors import Outage
from authmw.identity.meaning import Meaning
from authmw.identity.outcomes import Outcome
from authmw.runtime.printable import printable

_LONGEST_NOTE = 200
# User and password before the host of an address (RFC 3986 §3.2.1).
_USERINFO = re.compile(r"//[^/\s]*@")


def make_outage(outcome: Outcome, where: str = "", note: str = "", retry_after: int = 5) -> Outage:
    """Return the `Outage` of an outcome.

    Args:
        outcome: the row of the table.
        where: method and address, without query, or "" where nothing was sent yet.
        note: details, without token and secret. A password in an address is removed.
        retry_after: seconds.
    """
    asked = f"{where}: " if where else ""
    known = f" ({printable(_hide_userinfo(note), _LONGEST_NOTE)})" if note else ""
    detail = f"{_hide_userinfo(asked)}{outcome.meaning.detail}{known}"
    return Outage(outcome.name, detail, retry_after)


def make_outage_from(error: Exception) -> Outage:
    """Return the `Outage` for another library's exception; an `Outage` is returned as it is."""
    if isinstance(error, Outage):
        return error
    from authmw.identity.http_messages import parse_retry_after
    from authmw.runtime.libraries import exceptions

    outcome = Outcome.of_error(error)
    if isinstance(error, exceptions.HttpError):
        # Its text is the server's; the address may hold a query.
        where = f"{error.method} {(error.url or '').partition('?')[0]}"
        headers = error.response.headers if error.response is not None else {}
        note, retry_after = f"HTTP {error.http_status}", parse_retry_after(headers, time.time())
        outage = make_outage(outcome, where, note, retry_after)
    else:
        is_quotable = isinstance(error, exceptions.ClientException) and not isinstance(
            error, exceptions.ConnectionError
        )
        outage = make_outage(outcome, note=str(error) if is_quotable else type(error).__name__)
    # Only the unforeseen needs a traceback; others may quote what we sent.
    outage.__cause__ = error if outcome is Outcome.FAILED else None
    return outage


def meaning_of(outage: Outage) -> Meaning:
    """Return what the table of outcomes says about an outage."""
    return Outcome[outage.kind].meaning


def _hide_userinfo(text: str) -> str:
    return _USERINFO.sub("//", text)

"""Makes an `Outage` of a row in the table of outcomes, or of another library's exception."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from authmw.errors import Outage
from authmw.identity.meaning import Meaning
from authmw.identity.outcomes import Outcome
from authmw.runtime.printable import printable

if TYPE_CHECKING:
    from requests import Response

LONGEST_NOTE = 300
"""Characters of a note that are logged."""
# Outcomes that say more than the class of keystoneauth1's exception.
_TELLING = frozenset({Outcome.FORBIDDEN_ELSEWHERE, Outcome.REQUEST_INVALID, Outcome.PROXY})
_MOST_CAUSES = 10
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
    known = f" ({printable(_hide_userinfo(note), LONGEST_NOTE)})" if note else ""
    detail = f"{_hide_userinfo(asked)}{outcome.meaning.detail}{known}"
    return Outage(outcome.name, detail, retry_after)


def make_outage_from(error: Exception) -> Outage:
    """Return the `Outage` for another library's exception; an `Outage` is returned as it is."""
    if isinstance(error, Outage):
        return error
    from authmw.runtime.libraries import exceptions

    outcome = Outcome.of_error(error)
    answered = _find_http_error(error)
    if answered is not None and answered.response is not None:
        # Of its cause, where discovery failed, keystoneauth1 keeps no more than the text.
        judged = judge_response(answered.response, about_token=False, otherwise=outcome)
        if answered is error or judged is not outcome:
            return _make_outage_of(judged, answered)
    is_quotable = isinstance(error, exceptions.ClientException) and not isinstance(
        error, exceptions.ConnectionError | exceptions.HttpError
    )
    outage = make_outage(outcome, note=str(error) if is_quotable else type(error).__name__)
    # Only the unforeseen needs a traceback; others may quote what we sent.
    outage.__cause__ = error if outcome is Outcome.FAILED else None
    return outage


def judge_response(
    response: Response, *, about_token: bool, otherwise: Outcome | None = None
) -> Outcome:
    """Return the outcome that a response means whose status is not 200.

    Args:
        response: of whoever answered at the identity endpoint's address.
        about_token: the question was about a client's token; only then is it refused.
        otherwise: the outcome where the response is not known to mean another; None: that of
            its status.
    """
    # Imported here: only failures need it.
    from authmw.identity.keystone_error import read_keystone_error, wants_tls

    status = response.status_code
    if wants_tls(response):
        return Outcome.SPEAKS_TLS
    outcome = Outcome.of_status(
        status, about_token=about_token, keystone_says=read_keystone_error(response)
    )
    if otherwise is None or outcome in _TELLING:
        return outcome
    return otherwise


def _find_http_error(error: BaseException) -> Any:
    """Return keystoneauth1's HttpError that an error is, or was raised for; None: there is none."""
    from authmw.runtime.libraries import exceptions

    found: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if found is None or isinstance(found, exceptions.HttpError):
            return found
        found = found.__cause__ or found.__context__
    return None


def _make_outage_of(outcome: Outcome, error: Any) -> Outage:
    from authmw.identity.http_messages import describe_call, parse_retry_after
    from authmw.identity.keystone_error import quote_status

    response = error.response
    return make_outage(
        outcome,
        describe_call(error.method or "", error.url or ""),
        quote_status(response),
        parse_retry_after(response.headers, time.time()),
    )


def meaning_of(outage: Outage) -> Meaning:
    """Return what the table of outcomes says about an outage."""
    return Outcome[outage.kind].meaning


def _hide_userinfo(text: str) -> str:
    return _USERINFO.sub("//", text)

"""GET /v3/OS-REVOKE/events (Identity API v3, OS-REVOKE, "List revocation events").

The identity endpoint answers it; tests have other sources.
"""

from __future__ import annotations

import itertools
import secrets
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from authmw.errors import EventsForbidden, Outage
from authmw.identity.client import IdentityClient
from authmw.identity.outcomes import Outcome
from authmw.runtime.process import PerProcess


class EventsAnswer(NamedTuple):
    """An answer to GET /v3/OS-REVOKE/events.

    Attributes:
        document: its JSON, not validated yet.
        date: the server's clock, epoch seconds; None where the answer has no Date.
    """

    document: object
    date: float | None


class EventSource(Protocol):
    """Lists revocation events."""

    def fetch_events(self, since: str) -> EventsAnswer:
        """Fetch the events that were made after `since`, an ISO 8601 time.

        Raises:
            EventsForbidden: our credentials may not read them.
            IdentityUnavailable: there is no answer.
        """


class IdentityEvents:
    """The identity endpoint as the source of events."""

    def __init__(self, identity: IdentityClient) -> None:
        self._identity = identity

    def fetch_events(self, since: str) -> EventsAnswer:
        """See `EventSource`."""
        try:
            answer = self._identity.fetch_json("/OS-REVOKE/events", {"since": since})
        except Outage as outage:
            if outage.kind == Outcome.CREDENTIALS_FORBIDDEN.name:
                raise EventsForbidden(outage.detail, outage.retry_after) from outage
            raise
        return EventsAnswer(answer.body, answer.date)


class SinceTimes:
    """Writes values of the parameter `since`, none of them twice.

    Keystone caches its answer for each `since`, and may return it even after a new event. Events
    have whole seconds, so the fraction of a second can be a number of ours; and nothing was revoked
    in the first days of 1970.
    """

    def __init__(self) -> None:
        # A forked process must not continue its parent's numbers, as its siblings would too.
        self._numbers = PerProcess(lambda: itertools.count(secrets.randbelow(10**12)))

    def render(self, since: float) -> str:
        """Write a time in the second `since`, epoch seconds; for 0 one before any event."""
        seconds, fraction = divmod(next(self._numbers.get()), 1_000_000)
        time = datetime.fromtimestamp(int(since) or seconds, UTC)
        return f"{time:%Y-%m-%dT%H:%M:%S}.{fraction:06}Z"

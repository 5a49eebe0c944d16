"""Who answers the question for revocation events, and what an answer holds."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class EventsAnswer(NamedTuple):
    """An answer to GET /v3/OS-REVOKE/events.

    Attributes:
        document: its JSON, not looked into yet.
        date: the server's clock, epoch seconds; None where the answer does not tell.
    """

    document: object
    date: float | None


class EventSource(Protocol):
    """Answers the question for events."""

    def fetch_events(self, since: str) -> EventsAnswer:
        """Ask for the events that were made after `since`, an ISO 8601 time.

        Raises:
            EventsForbidden: we may not ask.
            IdentityUnavailable: there is no answer.
        """

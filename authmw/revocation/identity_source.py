"""Revocation events from the identity endpoint."""

from __future__ import annotations

from authmw.errors import EventsForbidden, Outage
from authmw.identity.client import IdentityClient
from authmw.identity.outcomes import Outcome
from authmw.revocation.source import EventsAnswer


class IdentityEvents:
    """Asks the identity endpoint (Identity API v3, OS-REVOKE, "List revocation events")."""

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

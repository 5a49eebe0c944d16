"""An identity server and processes that share its events, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from authmw.errors import IdentityUnavailable
from authmw.revocation.feed import RevocationFeed
from authmw.revocation.sharing.store import SharedStore
from authmw.revocation.source import EventsAnswer
from tests.support.clock import Clock
from tests.support.literal_revocation import Json, iso, seconds


@dataclass
class EventServer:
    """Lists events as Keystone does, and remembers what it was asked.

    Attributes:
        ahead: by how many seconds its clock is ahead of the processes'.
        fault: raised instead of an answer.
    """

    clock: Clock
    ahead: float = 0.0
    fault: IdentityUnavailable | None = None
    has_date: bool = True
    asked: list[str] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    answer: object = None

    def revoke(self, **attributes: object) -> None:
        """Make an event, stamped with this server's clock."""
        stamp = iso(int(self.clock.now + self.ahead))
        self.events.append({**attributes, "issued_before": stamp, "revoked_at": stamp})

    def fetch_events(self, since: str) -> EventsAnswer:
        """Answer as GET /v3/OS-REVOKE/events does: events made after `since`."""
        self.asked.append(since)
        if self.fault is not None:
            raise self.fault
        after = seconds(since)
        listed = [event for event in self.events if seconds(event["revoked_at"]) > after]
        document = (
            {"events": listed, "links": {"next": None}} if self.answer is None else self.answer
        )
        date = float(int(self.clock.now + self.ahead))
        return EventsAnswer(self.answer or document, date if self.has_date else None)


def make_feed(
    server: EventServer,
    *,
    store: SharedStore | None = None,
    interval: int = 10,
    max_staleness: int = 600,
    max_events: int = 100_000,
    retention: int = 180_000,
) -> RevocationFeed:
    """Return a feed as one process has it."""
    return RevocationFeed(
        server,
        poll_interval_seconds=interval,
        max_staleness_seconds=max_staleness,
        retention_seconds=retention,
        max_events=max_events,
        store=store,
    )


@dataclass
class Site:
    """Processes that share a store, each woken as often as it wants to be."""

    clock: Clock
    feeds: list[RevocationFeed]

    def run(self, seconds: float, step: float = 0.2) -> None:
        """Let time pass for all processes."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            for feed in self.feeds:
                if feed.reload_at <= self.clock.now:
                    feed.reload(self.clock.now)
            self.clock.advance(step)


def make_site(
    server: EventServer, size: int, open_store: Callable[[], SharedStore], **options: int
) -> Site:
    """Return a site whose processes have just started."""
    feeds = [make_feed(server, store=open_store(), **options) for _ in range(size)]
    return Site(server.clock, feeds)

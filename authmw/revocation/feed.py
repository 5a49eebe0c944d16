"""The revocation events of a deployment, kept fresh by polling the identity service.

The module starts no thread and reads no clock: `authmw.runtime.refresh` calls `reload(now)`. With a
shared store the processes poll in turns (`sharing`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.revocation.facts import RevocationFacts
from authmw.revocation.jitter import EARLIEST_PART, shorten
from authmw.revocation.polling import EventPoller
from authmw.revocation.sharing.shared_polling import SharedPolling
from authmw.revocation.sharing.store import SharedStore
from authmw.revocation.source import EventSource
from authmw.runtime.counts import Count
from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

# How often a process without a fresh answer reads the shared record again, and how many times.
_AWAITED_STEP_SECONDS = 0.05
_AWAITED_STEPS = 60
# Least time between two log lines about tokens that are older than `revocation_retention`.
_LOG_AGAIN_SECONDS = 3600


class RevocationFeed:
    """Compares tokens with the events of the latest poll; see `Revocations`.

    Any thread may call the `verify_…` methods, which take no lock.

    Args:
        source: lists events.
        poll_interval_seconds: `revocation_poll_interval`, at least 1.
        max_staleness_seconds: `revocation_max_staleness`.
        retention_seconds: `revocation_retention`.
        max_events: `revocation_max_events`.
        store: shared with the other processes; None: this process does not share its polls.
        failures: counts the polls of this process that failed.

    Attributes:
        reload_at: when to call `reload` next, epoch seconds.
    """

    def __init__(
        self,
        source: EventSource,
        *,
        poll_interval_seconds: int,
        max_staleness_seconds: int,
        retention_seconds: int,
        max_events: int,
        store: SharedStore | None = None,
        failures: Count | None = None,
    ) -> None:
        if poll_interval_seconds < 1:
            raise ValueError("a feed polls at intervals of 1 s or more")
        self.reload_at = 0.0
        self._interval = poll_interval_seconds
        self._max_staleness = max_staleness_seconds
        self._max_events = max_events
        self._retention = retention_seconds
        self._poller = EventPoller(
            source,
            interval_seconds=poll_interval_seconds,
            retention_seconds=retention_seconds,
            max_events=max_events,
            failures=failures,
        )
        self._retention_logged_at: float | None = None
        self._polling = PerProcess(threading.Lock)
        self._shared: SharedPolling | None = None
        if store is not None:
            self._shared = SharedPolling(
                store, self._poller, follow_seconds=max_staleness_seconds / 2
            )

    # For requests

    @property
    def generation(self) -> int:
        """Changes when new events came, and when `complete_from` moves."""
        return self._poller.index.generation

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of `generation`, in the thread that polls."""
        self._poller.index.add_listener(listener)

    @property
    def complete_from(self) -> int:
        """Epoch seconds; an event that covers a token issued earlier may have been dropped.

        `revocation_retention` and `revocation_max_events` have events dropped. 0 while none was.
        """
        return self._poller.index.complete_from

    @property
    def answered_at(self) -> float | None:
        """Start of the latest poll that was answered, of any process; None: none was.

        Epoch seconds.
        """
        return self._poller.answered_at

    def __len__(self) -> int:
        """The number of events kept."""
        return len(self._poller.index)

    def verify_not_revoked(self, facts: RevocationFacts) -> None:
        """Compare the fields of a token with all events.

        Raises:
            InvalidToken: (revoked) an event covers it.
        """
        attributes = self._poller.index.find_attributes(facts)
        if attributes is not None:
            of = ", ".join(attributes) or "all tokens"
            raise InvalidToken(Reason.REVOKED, f"a revocation event of {of} covers it")

    def verify_events_complete(self, issued_at: int, now: float) -> None:
        """Verify that the index has every event that can cover a token; for signed tokens.

        Args:
            issued_at: of the token, epoch seconds.
            now: epoch seconds.

        Raises:
            IdentityUnavailable: the latest answer is too old, or events were dropped that might
                cover the token.
        """
        if self.is_stale(now):
            raise IdentityUnavailable(
                f"{self._describe_age()}: {self._poller.failure or 'nothing polls them'}"
            )
        if issued_at < self._poller.index.complete_from:
            self._refuse_older(issued_at, now)

    def _refuse_older(self, issued_at: int, now: float) -> None:
        if issued_at < self._poller.index.overflow_until:
            raise IdentityUnavailable(
                f"there are more than revocation_max_events = {self._max_events} revocation "
                "events, and one that was dropped might cover this token"
            )
        logged_at = self._retention_logged_at
        if logged_at is None or abs(now - logged_at) >= _LOG_AGAIN_SECONDS:
            self._retention_logged_at = now
            _log.error(
                "signed tokens issued before %s get 503: revocation events that may cover them "
                "are older than revocation_retention = %d and were dropped; raise "
                "revocation_retention to the longest life of a token",
                _render(self.complete_from),
                self._retention,
            )
        raise IdentityUnavailable(
            "a revocation event that might cover this token is older than revocation_retention = "
            f"{self._retention} and was dropped"
        )

    def fresh_until(self, now: float) -> int:
        """Return up to when the latest answer is not older than `revocation_max_staleness`.

        Epoch seconds; `now` where there is no answer.
        """
        answered_at = self._poller.answered_at
        return int(now if answered_at is None else answered_at + self._max_staleness)

    def is_stale(self, now: float) -> bool:
        """Whether the latest answer is older than `revocation_max_staleness`, or there is none."""
        answered_at = self._poller.answered_at
        # abs(): after the clock was set back the age of the answer is unknown.
        return answered_at is None or abs(now - answered_at) > self._max_staleness

    def _describe_age(self) -> str:
        if self.answered_at is None:
            return "no revocation events were read yet"
        return (
            f"revocation events were last read at {_render(self.answered_at)}, longer ago than "
            "revocation_max_staleness"
        )

    # For the refresher

    def poll(self, now: float) -> None:
        """Take new events, from the other processes or from the identity service.

        Does nothing before a poll is due, and returns at once while another thread polls. Never
        raises for what servers and stores do.

        Args:
            now: epoch seconds.
        """
        lock = self._polling.get()
        if not lock.acquire(blocking=False):
            return
        try:
            if self._shared is not None:
                self._shared.poll(now)
            elif self._poller.is_due(now, part=EARLIEST_PART):
                self._poller.ask(now)
        finally:
            lock.release()

    def reload(self, now: float) -> None:
        """Poll, and plan the next poll; see `authmw.runtime.refresh.Refreshable`.

        While there is no fresh answer, as after a start, it waits for the poll that another process
        is making: until that is published, signed tokens get 503.
        """
        self.poll(now)
        for _ in range(_AWAITED_STEPS):
            if self._shared is None or not (self._shared.awaits_record and self.is_stale(now)):
                break
            time.sleep(_AWAITED_STEP_SECONDS)
            now += _AWAITED_STEP_SECONDS
            self.poll(now)
        if self._shared is not None:
            self.reload_at = self._shared.plan(now)
        else:
            self.reload_at = now + shorten(self._interval)


def _render(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

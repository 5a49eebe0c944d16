"""Polls the identity service for revocation events; tracks up to when all of them are known."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from authmw.errors import EventsForbidden, IdentityUnavailable, MalformedEvents
from authmw.revocation.events import RevocationEvent, parse_events
from authmw.revocation.index import EventIndex
from authmw.revocation.source import EventSource, SinceTimes
from authmw.runtime.counts import Count

_log = logging.getLogger(__name__)

OVERLAP_SECONDS = 60
# How much further than our own clock the server's may move on between two answers.
_CLOCK_SLACK_SECONDS = 5
# Parts of `revocation_max_events`. Two, as old events are dropped while new ones come.
_WARN_FROM_PART = 0.9
_WARN_AGAIN_BELOW_PART = 0.7


class ListedEvents(NamedTuple):
    """Every event that was made after `since` and listed at `until`, epoch seconds of the server.

    `since` 0: every event there is.
    """

    events: list[RevocationEvent]
    since: float
    until: float


class EventPoller:
    """Polls for events, indexes them and records the outcome of the latest polls.

    One thread at a time may change it. The polls are those of this process and, where processes
    share them, of the others.

    Args:
        source: lists events.
        interval_seconds: `revocation_poll_interval`.
        retention_seconds: `revocation_retention`.
        max_events: `revocation_max_events`.
        failures: counts the polls of this process that failed.

    Attributes:
        interval: seconds.
        index: of all events.
        until: every event made before this time is in the index, epoch seconds; None: no answer
            had a Date yet.
        tried_at: start of the latest poll, epoch seconds; None: there was none yet.
        answered_at: start of the latest poll that was answered, epoch seconds; None: none was.
        failure: why the latest poll of this process failed, for the log; None: it succeeded, or
            another process has read events since.
    """

    def __init__(
        self,
        source: EventSource,
        *,
        interval_seconds: int,
        retention_seconds: int,
        max_events: int,
        failures: Count | None = None,
    ) -> None:
        self.interval = interval_seconds
        self.index = EventIndex(max_events=max_events, retention_seconds=retention_seconds)
        self.until: float | None = None
        self.tried_at: float | None = None
        self.answered_at: float | None = None
        self._is_forbidden = False
        self.failure: str | None = None
        self._source = source
        self._failures = failures or Count()
        self._since = SinceTimes()
        self._until_set_at = 0.0
        self._max_events = max_events
        self._is_overflow_logged = False
        self._is_filling_up = False

    @property
    def ask_since(self) -> float:
        """The next poll asks for the events made after this time, epoch seconds; 0: for all.

        A minute before `until`: an event may be made while the server answers, and the clocks of
        several servers behind one address differ.
        """
        return 0.0 if self.until is None else max(self.until - OVERLAP_SECONDS, 0.0)

    def is_due(self, now: float, *, part: float = 1.0) -> bool:
        """Whether the latest poll began at least this part of an interval ago."""
        # abs(): after the clock was set back the next poll must not wait until it catches up.
        return self.tried_at is None or abs(now - self.tried_at) >= self.interval * part

    def ask(self, now: float) -> ListedEvents | None:
        """Poll once; never raises for what the source does.

        Args:
            now: epoch seconds.

        Returns:
            The answer; None where there was none, or one without a Date, which leaves `until`
            as it is, so that the next poll asks for the same events.
        """
        self.tried_at = now
        try:
            since = self.ask_since
            answer = self._source.fetch_events(self._since.render(since))
            if self._was_clock_set_back(answer.date, now):
                since = 0.0
                answer = self._source.fetch_events(self._since.render(since))
                self.until = None
            events = parse_events(answer.document, int(now if answer.date is None else answer.date))
        except EventsForbidden as error:
            if not self._is_forbidden:
                self.failure = None  # A 403 is logged even after another failure.
            self._is_forbidden = True
            self._log_failure(
                "our own user may not read them, so a revoked token is accepted while it is "
                f"cached; give the user the service role ({error.detail})"
            )
            return None
        except IdentityUnavailable as error:
            self._log_failure(error.detail)
            return None
        except MalformedEvents as error:
            self._log_failure(f"the answer is no list of events: {error}")
            return None
        listed = self._take_answer(events, since, answer.date, now)
        self.answered_at = now
        self._is_forbidden = False
        self._log_failure(None)
        return listed

    def _take_answer(
        self, events: list[RevocationEvent], since: float, date: float | None, now: float
    ) -> ListedEvents | None:
        if date is None:
            self._add_to_index(events, now)
            return None
        # The Date may be that of a proxy. An `until` that is too early costs repeated events, one
        # that is too late costs new ones.
        until = date
        if self.until is not None:
            # One server of several whose clock is ahead must not hide events of the others.
            elapsed = max(now - self._until_set_at, 0.0)
            until = min(until, self.until + elapsed + _CLOCK_SLACK_SECONDS)
        return ListedEvents(events, since, self.take(events, until, now))

    def take(self, events: Iterable[RevocationEvent], until: float, now: float) -> float:
        """Add every event made after `ask_since` and listed at `until`; return the new `until`.

        Args:
            events: as listed for this process or another one.
            until: epoch seconds of the server, which may be ahead of our clock.
            now: epoch seconds.
        """
        self.until = min(until, now)
        self._until_set_at = now
        self._add_to_index(events, now)
        return self.until

    def _was_clock_set_back(self, date: float | None, now: float) -> bool:
        """Whether the server's clock or ours was set back, so that `until` had been ahead."""
        if self.until is None:
            return False
        is_server_set_back = date is not None and date < self.ask_since
        return is_server_set_back or now < self._until_set_at - OVERLAP_SECONDS

    def _add_to_index(self, events: Iterable[RevocationEvent], now: float) -> None:
        overflow_until = self.index.overflow_until
        # A clock that is ahead, ours or the server's, must not have an event dropped as old.
        earliest = now if self.until is None else min(self.until, now)
        for event in self.index.add(events, earliest):
            if not event.attributes:
                _log.error(
                    "a revocation event names no attribute we know: every token issued up to %s "
                    "is revoked",
                    datetime.fromtimestamp(event.issued_before, UTC).isoformat(),
                )
            if event.ignored:
                _log.warning(
                    "members of a revocation event were not understood and are ignored, so it "
                    "covers more tokens: %r",
                    event.ignored,
                )
        self._log_fill_level(is_overflow=self.index.overflow_until > overflow_until)

    def _log_fill_level(self, *, is_overflow: bool) -> None:
        """Log once that events were dropped or soon will be, until there is room again."""
        number = len(self.index)
        is_filling_up = number >= _WARN_FROM_PART * self._max_events
        if is_overflow and not self._is_overflow_logged:
            self._is_overflow_logged = True
            _log.error(
                "there are more than revocation_max_events = %d revocation events: the oldest "
                "are dropped, and signed tokens issued up to %s get 503; raise "
                "revocation_max_events",
                self._max_events,
                datetime.fromtimestamp(self.index.overflow_until - 1, UTC).isoformat(),
            )
        elif is_filling_up and not self._is_filling_up and not self._is_overflow_logged:
            _log.warning(
                "%d revocation events are kept, of revocation_max_events = %d: beyond that the "
                "oldest are dropped, and signed tokens of their time get 503",
                number,
                self._max_events,
            )
        if number < _WARN_AGAIN_BELOW_PART * self._max_events:
            self._is_overflow_logged = self._is_filling_up = False
        elif is_filling_up:
            self._is_filling_up = True

    def _log_failure(self, failure: str | None) -> None:
        if failure is not None:
            self._failures.add()
        if failure is not None and self.failure is None:
            _log.warning("revocation events can't be read: %s", failure)
        elif failure is None and self.failure is not None:
            _log.info("revocation events can be read again")
        self.failure = failure

"""The revocation events that one process knows, and up to which time it knows them all."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime

from authmw.revocation.events import RevocationEvent
from authmw.revocation.index import EventIndex
from authmw.revocation.recent_events import RecentEvents

_log = logging.getLogger(__name__)

OVERLAP_SECONDS = 60
# By how much more than our own clock the server's may have moved on between two answers.
_CLOCK_SLACK_SECONDS = 5
# Of `revocation_max_events`. Two, as old events go while new ones come.
_WARN_FROM_PART = 0.9
_WARN_AGAIN_BELOW_PART = 0.7


class KnownEvents:
    """The index, and up to when it is complete. One thread at a time may change it.

    Attributes:
        index: of all events known.
        recent: what other processes may lack.
        until: every event made before this time is known, epoch seconds; None: no answer had a
            Date yet.
        is_dated: whether the latest answer to this process had a Date.
    """

    def __init__(self, *, max_events: int, retention_seconds: int) -> None:
        self.index = EventIndex(max_events=max_events, retention_seconds=retention_seconds)
        self.recent = RecentEvents()
        self.until: float | None = None
        self.is_dated = False
        self._until_set_at = 0.0
        self._max_events = max_events
        self._is_overflow_logged = False
        self._is_filling_up = False

    @property
    def ask_since(self) -> float:
        """The time after which the next answer must list every event; 0: every event there is.

        A minute earlier than seems to be needed: for an event that was made while the server
        answered, and for the clocks of several servers behind one address.
        """
        return 0.0 if self.until is None else max(self.until - OVERLAP_SECONDS, 0.0)

    def must_ask_anew(self, date: float | None, now: float) -> bool:
        """Whether a clock was set back, so that `until` was ahead for an unknown time.

        Args:
            date: the server's Date in the answer to a question for events after `ask_since`.
            now: our own time of the question.
        """
        if self.until is None:
            return False
        is_server_set_back = date is not None and date < self.ask_since
        return is_server_set_back or now < self._until_set_at - OVERLAP_SECONDS

    def forget_until(self) -> None:
        """Have the next question ask for every event."""
        self.until = None

    def take_answer(self, events: list[RevocationEvent], date: float | None, now: float) -> None:
        """Add an answer that lists every event made after `ask_since`.

        Args:
            date: the server's Date; None: it sent none, so the next question is the same.
            now: our own time of the question.
        """
        since = self.ask_since
        self.is_dated = date is not None
        if date is not None:
            # The Date may be that of a proxy. A question that asks too early costs repeated
            # events, one that asks too late costs new ones.
            until = min(date, now)
            if self.until is not None:
                # Nor must one server whose clock is ahead make us miss events of the others.
                elapsed = max(now - self._until_set_at, 0.0)
                until = min(until, self.until + elapsed + _CLOCK_SLACK_SECONDS)
            self._set_until(until, now)
        self._add_to_index(events, now)
        if date is not None and self.until is not None:
            self.recent.add(events, since, self.until)

    def take_shared(
        self, events: tuple[RevocationEvent, ...], since: float, until: float, now: float
    ) -> bool:
        """Add every event made after `since` and listed at `until`, from another process.

        Returns False, and changes nothing, where that would leave a gap.
        """
        if since > self.ask_since:
            return False
        self._set_until(min(until, now), now)
        self._add_to_index(events, now)
        self.recent.add(events, since, until)
        return True

    def _set_until(self, until: float, now: float) -> None:
        self.until, self._until_set_at = until, now

    def _add_to_index(self, events: Iterable[RevocationEvent], now: float) -> None:
        overflow_until = self.index.overflow_until
        # A clock that is ahead, ours or the server's, must not make an event look old.
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
        self._warn_of_number(is_overflow=self.index.overflow_until > overflow_until)

    def _warn_of_number(self, *, is_overflow: bool) -> None:
        """Log that events were dropped, or are about to be: once, until there is room again."""
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

"""What one process knows of revocation, and up to which moment of the server's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from authmw.revocation.bulletin import Bulletin
from authmw.revocation.events import RevocationEvent
from authmw.revocation.index import EventIndex
from authmw.revocation.window import Window

_log = logging.getLogger(__name__)

OVERLAP_SECONDS = 60
# By how much more than our own clock the server's may have moved on between two answers.
_CLOCK_SLACK_SECONDS = 5
# Of `revocation_max_events`. Two, as old ones go while new ones come.
_WARN_FROM_PART = 0.9
_WARN_AGAIN_BELOW_PART = 0.7


class Knowledge:
    """The index, and how complete it is. One thread at a time may change it.

    Attributes:
        index: of all events known.
        window: what other processes may not know yet.
        covers_to: server time up to which every event is known, epoch seconds; None: the
            server did not tell yet.
    """

    def __init__(self, *, max_events: int, retention_seconds: int) -> None:
        self.index = EventIndex(max_events=max_events, retention_seconds=retention_seconds)
        self.window = Window(self.index)
        self.covers_to: float | None = None
        self._covered_at = 0.0
        self._max_events = max_events
        self._is_filling_up = False

    @property
    def covers_from(self) -> float:
        """From when on the next answer has to have everything; 0: all there ever was.

        A minute more than seems to be needed: for an answer that crossed with an event, and
        for the clocks of several servers behind one address.
        """
        return 0.0 if self.covers_to is None else max(self.covers_to - OVERLAP_SECONDS, 0.0)

    def take_answer(
        self, events: Sequence[RevocationEvent], date: float | None, now: float
    ) -> None:
        """Learn from an answer that has everything since `covers_from`.

        Args:
            date: the server's Date; None: it said none, so the next question is the same.
            now: our own time of the question.
        """
        covers_from = self.covers_from
        if date is not None:
            if self.covers_to is not None:
                # One server whose clock runs ahead must not make us miss what others stamp.
                elapsed = max(now - self._covered_at, 0.0)
                date = min(date, self.covers_to + elapsed + _CLOCK_SLACK_SECONDS)
            self.move_on(date, now)
        self._add(events, self.covers_to, now)
        if self.covers_to is not None:
            self.window.record(events, covers_from, self.covers_to)

    def take_bulletins(self, recent: Bulletin, full: Bulletin | None, now: float) -> bool:
        """Learn what another process published, and go on from there.

        Args:
            full: needed only where `needs_full(recent)`.

        Returns False, and changes nothing, if that would leave a gap.
        """
        bulletins = [recent]
        if self.needs_full(recent):
            if full is None or full.edition != recent.complement:
                return False
            bulletins.insert(0, full)
        for bulletin in bulletins:
            self._add(bulletin.events, bulletin.covers_to, now)
            if bulletin.forgotten_before is not None:
                self.index.forget_before(bulletin.forgotten_before)
        self.window.adopt(recent)
        self.move_on(recent.covers_to, now)
        return True

    def needs_full(self, recent: Bulletin) -> bool:
        """Whether there are events between what we know and this bulletin."""
        return recent.covers_from > self.covers_from

    def move_on(self, covers_to: float, now: float) -> None:
        """Note that every event up to `covers_to` is known, as of our own `now`."""
        self.covers_to, self._covered_at = covers_to, now

    def forget_coverage(self) -> None:
        """Note that the next answer has to have everything, and is one to such a question."""
        self.covers_to = None

    def _add(
        self, events: Sequence[RevocationEvent], server_time: float | None, now: float
    ) -> None:
        had_forgotten = self.index.forgotten_before is not None
        # A clock that is wrong, ours or the server's, must not make an event look old.
        earliest = now if server_time is None else min(server_time, now)
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
        self._warn_of_number(had_forgotten=had_forgotten)

    def _warn_of_number(self, *, had_forgotten: bool) -> None:
        """Say that events were forgotten, or are about to be: once, until there is room again."""
        forgotten_before = self.index.forgotten_before
        is_filling_up = len(self.index) >= _WARN_FROM_PART * self._max_events
        if forgotten_before is not None and not had_forgotten:
            _log.error(
                "there are more than revocation_max_events = %d revocation events: the oldest "
                "are forgotten, and signed tokens issued up to %s get 503",
                self._max_events,
                datetime.fromtimestamp(forgotten_before, UTC).isoformat(),
            )
        elif is_filling_up and not self._is_filling_up and forgotten_before is None:
            _log.warning(
                "%d revocation events are kept, of revocation_max_events = %d: beyond that the "
                "oldest are forgotten, and signed tokens of their time get 503",
                len(self.index),
                self._max_events,
            )
        if is_filling_up or len(self.index) < _WARN_AGAIN_BELOW_PART * self._max_events:
            self._is_filling_up = is_filling_up

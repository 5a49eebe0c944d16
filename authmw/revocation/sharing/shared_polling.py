"""One poll for many processes: the process that takes the lease polls, the others read its record.

A process polls without the lease where the record does not help it: the record is missing, is older
than its own events, or begins after them; the holder of the lease publishes nothing; or the process
has only followed the others for too long.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

from authmw.errors import CacheError, MalformedRecord
from authmw.revocation.jitter import draw_below, shorten
from authmw.revocation.polling import EventPoller
from authmw.revocation.sharing.record import SharedRecord
from authmw.revocation.sharing.store import SharedStore

_log = logging.getLogger(__name__)

# A poll has a deadline of its own; a lease holder that takes longer than this counts as dead.
_LONGEST_LEASE_SECONDS = 15
# Processes wake up within this time after a poll is due, and read as often during a poll.
_READ_INTERVAL_SECONDS = 0.2
# How long a process waits for the lease holder's record, besides the time of two leases.
_WAIT_FOR_RECORD_SECONDS = 2.0


class SharedPolling:
    """Shares polls with the other processes. Not thread-safe: `RevocationFeed` has the lock.

    Args:
        store: shared by the processes.
        poller: polls for this process, and takes the events that others publish.
        follow_seconds: how long after the latest answer to this process the records of others may
            replace one.
    """

    def __init__(self, store: SharedStore, poller: EventPoller, *, follow_seconds: float) -> None:
        self._store = store
        self._poller = poller
        self._lease_seconds = min(poller.interval, _LONGEST_LEASE_SECONDS)
        self._follow_seconds = follow_seconds
        self._is_fault_logged = False
        self._waiting_since: float | None = None
        # The record read or written last, and the newest answer, ours or another process's.
        self._edition = ""
        self._read = SharedRecord()
        self._newest = SharedRecord()
        # When our own latest answer came, else the first record; when the latest record of
        # another process brought news; and how far apart the two may be before we poll.
        self._answered_at: float | None = None
        self._followed_at = 0.0
        self._ask_after_seconds = follow_seconds

    def poll(self, now: float) -> None:
        """Read the record, and poll if a poll is due and it is this process's turn.

        Args:
            now: epoch seconds.
        """
        try:
            self._follow(now)
            if not self._poller.is_due(now):
                self._waiting_since = None
            elif self._does_current_record_leave_gap(now):
                self._ask(now)  # Published, the answer would replace a better record.
            elif self._followed_seconds >= self._ask_after_seconds:
                if self._ask(now):
                    self._publish(now)
            elif self._is_our_turn(now):
                # Without a Date in the answer no other process can use it; each has to poll.
                is_for_all = self._ask(now) or self._poller.answered_at != now
                self._publish(now if is_for_all else 0.0)
        except CacheError as fault:
            self._log_fault(fault)
            if self._poller.is_due(now):
                self._ask(now)

    def plan(self, now: float) -> float:
        """Return when to call `poll` next, epoch seconds."""
        tried_at = self._poller.tried_at
        if tried_at is not None and self._waiting_since is None:
            # tried_at lies ahead where our clock was set back.
            due_at = min(tried_at, now) + self._poller.interval
            if due_at > now:
                return due_at + draw_below(_READ_INTERVAL_SECONDS)
        return now + shorten(_READ_INTERVAL_SECONDS)

    @property
    def awaits_record(self) -> bool:
        """Whether a poll is due and another process holds the lease."""
        return self._waiting_since is not None

    @property
    def _followed_seconds(self) -> float:
        """How long other processes' records have replaced an answer to this process."""
        return 0.0 if self._answered_at is None else abs(self._followed_at - self._answered_at)

    def _does_current_record_leave_gap(self, now: float) -> bool:
        is_current = abs(now - self._read.tried_at) < self._poller.interval
        return is_current and self._read.since > self._poller.ask_since

    def _is_our_turn(self, now: float) -> bool:
        """Whether we hold the lease, or its holder has published nothing for too long."""
        if self._store.try_lease(self._edition, self._lease_seconds, now):
            return True
        if self._waiting_since is None:
            self._waiting_since = now
        answered_at = self._poller.answered_at
        is_fresh = answered_at is not None and abs(now - answered_at) < self._follow_seconds
        longest_wait = _WAIT_FOR_RECORD_SECONDS + (2 * self._lease_seconds if is_fresh else 0)
        return abs(now - self._waiting_since) >= longest_wait

    def _ask(self, now: float) -> bool:
        """Poll, and return whether there was an answer that other processes can use."""
        self._waiting_since = None
        answer = self._poller.ask(now)
        if self._poller.answered_at == now:
            self._follow_from(now)
        if answer is not None:
            self._newest = self._newest.add(*answer)
        return answer is not None

    def _publish(self, tried_at: float) -> None:
        """Publish the outcome of our poll; with `tried_at` 0 each other process polls too."""
        answered_at = self._poller.answered_at or 0.0
        record = replace(self._newest, tried_at=tried_at, answered_at=answered_at)
        try:
            self._write(record)
        except CacheError as fault:
            self._log_fault(fault)
            # A record without events may fit; with it each other process polls.
            self._write(replace(record, since=record.until, events=()))
        else:
            self._is_fault_logged = False

    def _write(self, record: SharedRecord) -> None:
        content = record.render()
        self._store.write(content)
        self._edition = edition_of(content)

    def _follow(self, now: float) -> None:
        """Take the events and the poll that another process published."""
        record = self._read_record()
        if record is None:
            return
        self._read, poller = record, self._poller
        if record.until < self._newest.until:
            return  # Anyone who can write to memcached can replay a record.
        if record.since > poller.ask_since:
            return
        is_news = record.until > self._newest.until
        if is_news:
            poller.take(record.events, record.until, now)
            self._newest = record
            self._followed_at = now
            if self._answered_at is None:
                self._follow_from(now)
        if self._followed_seconds >= self._follow_seconds:
            return
        poller.tried_at = _later_of(poller.tried_at, record.tried_at, now)
        if is_news:
            poller.answered_at = _later_of(poller.answered_at, record.answered_at, now)
            poller.failure = None

    def _follow_from(self, now: float) -> None:
        self._answered_at = self._followed_at = now
        # At random, so that the processes don't all poll at the same time.
        half = self._follow_seconds / 2
        self._ask_after_seconds = half + draw_below(half)

    def _read_record(self) -> SharedRecord | None:
        """Return the record, if it is another edition than the one read or written last."""
        known, self._edition = self._edition, ""
        try:
            content = self._store.read()
            if content is None:
                return None
            edition = edition_of(content)
            record = None if edition == known else SharedRecord.parse(content)
        except (CacheError, MalformedRecord) as fault:
            self._log_fault(fault)
            return None
        self._edition = edition
        if record is not None and record.since < record.until:
            self._is_fault_logged = False
        return record

    def _log_fault(self, fault: Exception) -> None:
        """Log a fault of the store, once until sharing works again."""
        if not self._is_fault_logged:
            _log.warning(
                "revocation events are not shared between processes (%s): "
                "each polls the identity service",
                fault,
            )
        self._is_fault_logged = True


def edition_of(record: bytes) -> str:
    """Return the edition of a record, as `SharedStore.try_lease` takes it."""
    return hashlib.sha256(record).hexdigest()


def _later_of(known: float | None, reported: float, now: float) -> float:
    """Return the later of two times in the past, epoch seconds.

    Args:
        known: by our own clock; ignored where it lies ahead, since the clock was set back.
        reported: by another host's clock, which may be ahead of ours.
        now: by our own clock.
    """
    reported = min(reported, now)
    return reported if known is None or known > now else max(known, reported)

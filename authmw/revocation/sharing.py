"""One poll for many processes: the one that takes the lease asks, the others read its record.

A process asks by itself where the record does not help it: the record is missing, older than
what the process knows, or begins after it; whoever took the lease publishes nothing; or the
process has followed the others for too long.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

from authmw.errors import CacheError, MalformedRecord
from authmw.revocation.jitter import draw_below, shorten
from authmw.revocation.polling import EventPoller
from authmw.revocation.shared_record import SharedRecord
from authmw.revocation.store import SharedStore

_log = logging.getLogger(__name__)

# A poll has a deadline of its own; a process that needs longer than this is taken for dead.
_LONGEST_LEASE_SECONDS = 15
# The processes wake up so soon after a poll is due, and read so often while one is under way.
_HURRY_SECONDS = 0.2
# How long a process waits for a record that is newer than what it knows.
_PATIENCE_SECONDS = 2.0


class SharedPolling:
    """Polls in turns with the other processes. Not thread-safe: `RevocationFeed` guards it.

    Args:
        store: what the processes share.
        poller: asks for this process, and takes what the others publish.
        follow_seconds: how long the records of others count as answers at most, without an
            answer to this process itself.
    """

    def __init__(self, store: SharedStore, poller: EventPoller, *, follow_seconds: float) -> None:
        self._store = store
        self._poller = poller
        self._lease_seconds = min(poller.interval, _LONGEST_LEASE_SECONDS)
        self._follow_seconds = follow_seconds
        self._is_fault_logged = False
        self._waiting_since: float | None = None
        # What was read or written last, and the newest answer known, ours or another process's.
        self._edition = ""
        self._read = SharedRecord()
        self._newest = SharedRecord()
        # Our own latest answer, else the first one followed; the last one followed; and for how
        # long to go on like that.
        self._answered_at: float | None = None
        self._followed_at = 0.0
        self._ask_after_seconds = 0.0

    def poll(self, now: float) -> None:
        """Follow the others, and ask if a poll is due and it is for us to ask.

        Args:
            now: epoch seconds.
        """
        try:
            self._follow(now)
            if not self._poller.is_due(now):
                self._waiting_since = None
            elif self._is_own_answer_old() or self._does_current_record_leave_gap(now):
                self._ask(now)  # and publish nothing: a record of others may be a better one
            elif self._is_our_turn(now):
                self._ask(now)
                self._publish(now)
        except CacheError as fault:
            self._log_fault(fault)
            if self._poller.is_due(now):
                self._ask(now)

    def plan(self, now: float) -> float:
        """Return when to call `poll` next, epoch seconds."""
        tried_at = self._poller.tried_at
        if tried_at is not None and self._waiting_since is None:
            # The time of another clock, or of ours before it was set back, may lie ahead.
            due_at = min(tried_at, now) + self._poller.interval
            if due_at > now:
                return due_at + draw_below(_HURRY_SECONDS)
        return now + shorten(_HURRY_SECONDS)

    def _is_own_answer_old(self) -> bool:
        """Whether the others were followed for too long since our own latest answer."""
        answered_at = self._answered_at
        return answered_at is not None and (
            abs(self._followed_at - answered_at) >= self._ask_after_seconds
        )

    def _does_current_record_leave_gap(self, now: float) -> bool:
        is_current = abs(now - self._read.tried_at) < self._poller.interval
        return is_current and self._read.since > self._poller.ask_since

    def _is_our_turn(self, now: float) -> bool:
        """Whether we have the lease, or whoever has it published nothing for too long."""
        if self._store.try_lease(self._edition, self._lease_seconds, now):
            return True
        if self._waiting_since is None:
            self._waiting_since = now
        is_first = self._poller.answered_at is None
        patience = _PATIENCE_SECONDS + (0 if is_first else 2 * self._lease_seconds)
        return abs(now - self._waiting_since) >= patience

    def _ask(self, now: float) -> None:
        self._waiting_since = None
        answer = self._poller.ask(now)
        if self._poller.answered_at == now:
            self._follow_from(now)
        if answer is not None:
            self._newest = self._newest.add(*answer)

    def _publish(self, now: float) -> None:
        """Tell the others how our poll went."""
        answered_at = self._poller.answered_at or 0.0
        record = replace(self._newest, tried_at=now, answered_at=answered_at)
        try:
            self._write(record)
        except CacheError as fault:
            self._log_fault(fault)
            # Without events it may fit, and has the others ask by themselves.
            self._write(replace(record, since=record.until, events=()))
        else:
            self._is_fault_logged = False

    def _write(self, record: SharedRecord) -> None:
        content = record.render()
        self._store.write(content)
        self._edition = edition_of(content)

    def _follow(self, now: float) -> None:
        """Learn what another process published."""
        record = self._read_record()
        if record is None:
            return
        self._read, poller = record, self._poller
        if record.until < self._newest.until:
            return  # a record can be put back by whoever can write to memcached
        if record.since > poller.ask_since:
            return
        is_news = record.until > self._newest.until
        if is_news:
            poller.take(record.events, record.until, now)
            self._newest = record
            self._followed_at = now
            if self._answered_at is None:
                self._follow_from(now)
        if self._is_own_answer_old():
            return
        poller.tried_at = _later_of(poller.tried_at, record.tried_at, now)
        if is_news:
            poller.answered_at = _later_of(poller.answered_at, record.answered_at, now)
            poller.trouble = None

    def _follow_from(self, now: float) -> None:
        self._answered_at = self._followed_at = now
        # At random, so that the processes don't do it all at the same time.
        half = self._follow_seconds / 2
        self._ask_after_seconds = half + draw_below(half)

    def _read_record(self) -> SharedRecord | None:
        """Return the record, if it is another edition than the one known."""
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
        """Log a fault of the store once, until sharing works again."""
        if not self._is_fault_logged:
            _log.warning(
                "revocation events are not shared between processes (%s): "
                "each asks the identity service by itself",
                fault,
            )
        self._is_fault_logged = True


def edition_of(record: bytes) -> str:
    """Return the name of an edition of the record for `SharedStore.try_lease`."""
    return hashlib.sha256(record).hexdigest()


def _later_of(known: float | None, reported: float, now: float) -> float:
    """Return the later of two times in the past, epoch seconds.

    Args:
        known: a time of our own clock; ignored where it lies ahead, after the clock was set back.
        reported: a time of another host's clock, which may be ahead of ours.
        now: our own time.
    """
    reported = min(reported, now)
    return reported if known is None or known > now else max(known, reported)

"""One poll for many processes: the one that holds the lease asks, the others read its record.

A process asks by itself wherever the record does not help it: the record is missing, older than
what the process knows, or begins after it; whoever holds the lease publishes nothing; or the
process has followed the others for too long.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable

from authmw.errors import CacheError, MalformedRecord
from authmw.revocation.jitter import draw_below, shorten
from authmw.revocation.known_events import KnownEvents
from authmw.revocation.poll_state import PollState, later_of
from authmw.revocation.shared_record import SharedRecord
from authmw.revocation.store import SharedStore
from authmw.runtime.process import PerProcess

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
        known: the events this process knows; grows with what the others publish.
        state: the latest polls; moves on with those of the others.
        poll_interval_seconds: `revocation_poll_interval`.
        follow_seconds: how long what others publish counts as an answer at most, without an
            answer to this process itself.
    """

    def __init__(
        self,
        store: SharedStore,
        known: KnownEvents,
        state: PollState,
        *,
        poll_interval_seconds: int,
        follow_seconds: float,
    ) -> None:
        self._store = store
        self._known = known
        self._state = state
        self._interval = poll_interval_seconds
        self._lease_seconds = min(poll_interval_seconds, _LONGEST_LEASE_SECONDS)
        self._follow_seconds = follow_seconds
        # Unique for each process: a fork must not inherit its parent's lease.
        self._owner = PerProcess(lambda: f"{os.getpid()}-{secrets.token_hex(8)}")
        self._failing: set[str] = set()
        self._waiting_since: float | None = None
        self._read: bytes | None = None
        # `until` of the newest answer known, by the server's clock; None: there was none.
        self._newest: float | None = None
        # A record that begins after what we know.
        self._gap: SharedRecord | None = None
        self._is_older_shared = False
        # Our own latest answer, or when there was nothing to follow; and when to ask again.
        self._followed_from: float | None = None
        self._ask_after_seconds = 0.0

    def poll(self, now: float, ask: Callable[[float], None]) -> None:
        """Follow the others, and ask if a poll is due and it is for us to ask.

        Args:
            now: epoch seconds.
            ask: asks the identity service, given `now`, and notes the outcome in what is known
                and in the state.
        """
        # `ask` is not kept: it is the owner's of this object, and in a cycle of references what
        # the store has open would outlive them both.
        self._follow(now)
        if not self._state.is_due(self._interval, now):
            self._waiting_since = None
        elif self._gap is not None and abs(now - self._gap.tried_at) < self._interval:
            # Others know more, so our record would replace a better one.
            self._ask(now, ask)
        elif self._seconds_followed(now) >= self._ask_after_seconds:
            if not self._ask(now, ask):
                self._ask_after_seconds = self._follow_seconds
            self._publish(now)
        elif self._try_lease(now):
            # The process that held it may have published only just now.
            self._follow(now)
            if self._state.is_due(self._interval, now):
                self._ask(now, ask)
                self._publish(now)
            self._end_lease()
        elif self._is_patience_at_end(now):
            self._ask(now, ask)

    def plan(self, now: float) -> float:
        """Return when to call `poll` next, epoch seconds."""
        tried_at = self._state.tried_at
        if tried_at is not None and self._waiting_since is None:
            # The time of another clock, or of ours before it was set back, may lie ahead.
            due_at = min(tried_at, now) + self._interval
            if due_at > now:
                return due_at + draw_below(_HURRY_SECONDS)
        return now + shorten(_HURRY_SECONDS)

    def _ask(self, now: float, ask: Callable[[float], None]) -> bool:
        """Ask, and return whether there was an answer."""
        self._waiting_since = None
        ask(now)
        if self._state.answered_at != now:
            return False
        if self._known.is_dated:
            self._newest = self._known.until
        self._gap = None
        self._is_older_shared = False
        self._follow_from(now)
        return True

    def _follow_from(self, now: float) -> None:
        self._followed_from = now
        # At random, so that the processes don't do it all at the same time.
        half = self._follow_seconds / 2
        self._ask_after_seconds = half + draw_below(half)

    def _seconds_followed(self, now: float) -> float:
        if self._followed_from is None:
            self._follow_from(now)
            return 0.0
        return abs(now - self._followed_from)

    def _is_patience_at_end(self, now: float) -> bool:
        """Whether the process that has the lease has published nothing for too long."""
        if self._waiting_since is None:
            self._waiting_since = now
        patience = _PATIENCE_SECONDS
        if self._state.answered_at is not None and not self._is_older_shared:
            patience += 2 * self._lease_seconds
        return abs(now - self._waiting_since) >= patience

    def _follow(self, now: float) -> None:
        """Learn what another process published."""
        record = self._read_record()
        if record is None:
            return
        state, until = self._state, record.until
        self._gap = None
        # A record can be put back by whoever can write to memcached.
        self._is_older_shared = (
            until is not None and self._newest is not None and until < self._newest
        )
        if self._is_older_shared:
            return
        is_news = until is not None and (self._newest is None or until > self._newest)
        if (
            until is not None
            and record.since is not None
            and not self._known.take_shared(record.events, record.since, until, now)
        ):
            self._gap = record
            return
        if record.answered_at != record.tried_at and abs(now - record.tried_at) < self._interval:
            # A poll that failed is one for all, and there is no answer to follow.
            self._follow_from(now)
        if self._seconds_followed(now) >= self._follow_seconds:
            return
        state.tried_at = later_of(state.tried_at, record.tried_at, now)
        state.is_forbidden = record.is_forbidden
        if is_news and record.answered_at is not None:
            self._newest = until
            state.answered_at = later_of(state.answered_at, record.answered_at, now)
            state.trouble = None

    def _publish(self, now: float) -> None:
        """Tell the others how our poll went."""
        known, state = self._known, self._state
        if state.answered_at == now and not known.is_dated:
            return  # nobody else could go on from there
        record = SharedRecord(
            known.recent.since,
            None if known.recent.since is None else self._newest,
            now,
            state.answered_at,
            state.is_forbidden,
            tuple(known.recent),
        )
        try:
            self._read = record.render()
            self._store.write(self._read)
        except CacheError as fault:
            self._report("writing", fault)
        else:
            self._failing.discard("writing")

    def _read_record(self) -> SharedRecord | None:
        """Return the record, if it is another one than was read last."""
        try:
            content = self._store.read()
            if content is None or content == self._read:
                return None
            record = SharedRecord.parse(content)
        except (CacheError, MalformedRecord) as fault:
            self._report("reading", fault)
            return None
        self._failing.discard("reading")
        self._read = content
        return record

    def _try_lease(self, now: float) -> bool:
        """Whether it is for us to poll. Without a working store it is."""
        try:
            is_ours = self._store.try_lease(self._owner.get(), self._lease_seconds, now)
        except CacheError as fault:
            self._report("lease", fault)
            return True
        self._failing.discard("lease")
        return is_ours

    def _end_lease(self) -> None:
        """Let another process poll as soon as a poll is due."""
        try:
            self._store.end_lease(self._owner.get())
        except CacheError as fault:
            self._report("lease", fault)

    def _report(self, what: str, fault: Exception) -> None:
        """Log a fault once, until all works again."""
        if not self._failing:
            _log.warning(
                "revocation events are not shared between processes (%s: %s): "
                "each asks the identity service by itself",
                what,
                fault,
            )
        self._failing.add(what)

"""A circuit breaker: while the identity endpoint does not answer, nobody waits for it.

                 outages in a row                  the probe fails
        closed -------------------> in doubt ---------------------> open
          ^                             |                            | pause over:
          |<-- the probe succeeds ------'                            v one probe
          `<-------------------------- the probe succeeds -------- probing

Outages alone open nothing, since a client can cause them at will with tokens that make the
endpoint stumble. They cast doubt, and then one request first asks a question that carries
no client's token. Only if that fails too, requests fail fast for a moment.

No I/O and no clock in here: whoever asks reports what came of it.
"""

from __future__ import annotations

import enum
import math
import random
import threading
from collections.abc import Callable

from authmw.identity.outage import Outage
from authmw.identity.outcome_row import Health
from authmw.identity.outcomes import Outcome

THRESHOLD = 3
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0

# Of each pause, this part at most is left out at random, so that processes that were cut
# off together don't probe together.
_JITTERED_PART = 0.25


class Change(enum.Enum):
    """What a probe changed."""

    OPENED = enum.auto()
    CLOSED = enum.auto()


class Breaker:
    """The breaker of one process, used by all its threads.

    Its lock is held for a few assignments, never while somebody asks.

    Args:
        threshold: so many outages in a row cast doubt.
        first_pause_seconds: how long requests fail fast after the first failed probe; each
            further one doubles it.
        longest_pause_seconds: what it doubles up to.
        jitter: makes random numbers from 0 up to 1.
    """

    def __init__(
        self,
        *,
        threshold: int = THRESHOLD,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self._threshold = threshold
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        # Nothing secret depends on it. A generator of our own leaves that of the app alone.
        self._jitter = jitter or random.Random().random  # noqa: S311
        self._lock = threading.Lock()
        self._outages = 0  # in a row, while closed
        self._is_probing = False
        self._failed_probes = 0  # in a row; the breaker is open if there are any
        self._paused_at = 0.0
        self._pause_seconds = 0.0

    @property
    def is_open(self) -> bool:
        """Whether requests fail fast."""
        return self._failed_probes > 0

    def admit(self, now: float) -> bool:
        """Return whether to probe first: the caller then does, and calls `conclude`.

        Args:
            now: seconds, by the clock that every call gets.

        Raises:
            Outage: (BREAKER_OPEN) don't ask; with the remaining pause as Retry-After.
        """
        if self._outages < self._threshold and not self._failed_probes:
            return False
        with self._lock:
            if not self.is_open:
                if self._outages < self._threshold or self._is_probing:
                    return False
            else:
                remaining = self._remaining_seconds(now)
                if remaining > 0 or self._is_probing:
                    raise Outage(Outcome.BREAKER_OPEN, retry_after=max(1, math.ceil(remaining)))
            self._is_probing = True
            return True

    def record(self, health: Health) -> None:
        """Note what came of a question that was no probe; an open breaker it can't close."""
        if health is Health.UNKNOWN or (health is Health.ANSWERS and not self._outages):
            return
        with self._lock:
            self._outages = 0 if health is Health.ANSWERS else self._outages + 1

    def conclude(self, health: Health | None, now: float) -> Change | None:
        """Note what came of the probe that `admit` asked for, and let others probe.

        Args:
            health: what it says; None if it was given up (its thread is told to end).
            now: seconds.
        """
        with self._lock:
            self._is_probing = False
            was_open = self.is_open
            if health is Health.ANSWERS:
                self._outages = self._failed_probes = 0
                return Change.CLOSED if was_open else None
            if health is None:
                return None
            if not was_open and (health is Health.UNKNOWN or self._outages < self._threshold):
                # It could not find out, or meanwhile somebody got an answer.
                self._outages = 0
                return None
            self._pause_seconds = self._next_pause_seconds()
            self._paused_at = now
            self._failed_probes += 1
            return None if was_open else Change.OPENED

    def _next_pause_seconds(self) -> float:
        # The exponent is bounded too: an outage may last for days.
        doubled = self._first_pause_seconds * (1 << min(self._failed_probes, 30))
        return min(doubled, self._longest_pause_seconds) * (1 - _JITTERED_PART * self._jitter())

    def _remaining_seconds(self, now: float) -> float:
        # A wall clock that was set back must not make the pause longer.
        if now < self._paused_at:
            return 0.0
        return self._paused_at + self._pause_seconds - now

"""A circuit breaker: while the identity endpoint does not answer, no request waits for it.

                     outage                       the probe fails
        closed -----------------> in doubt -----------------------> open
          ^                          |                               | pause over:
          |<-- the probe succeeds ---'                               v one probe
          `<----------------------------- the probe succeeds ----- probing

Outages alone do not open the breaker, since a client can cause them at will with tokens that the
endpoint fails on. An outage puts the endpoint in doubt, and then a probe is sent, a call without a
client's token. Only if the probe fails too, requests fail fast until a probe succeeds.

Probes are made in the background (`authmw.identity.outage_watch`). Where no background thread runs,
or not in time, a request probes: after several outages in a row, and well after the pause is over.

There is no I/O and no clock here: callers report each outcome and pass the time.
"""

from __future__ import annotations

import enum
import math
import random
import threading
from collections.abc import Callable

from authmw.identity.meaning import Health
from authmw.identity.outage import make_outage
from authmw.identity.outcomes import Outcome

THRESHOLD = 3
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0

# While the breaker is closed, probes are at least this far apart, whatever clients provoke.
SHORTEST_PAUSE_SECONDS = 1.0
# A probe that takes longer is in a thread that was stopped.
_LONGEST_PROBE_SECONDS = 60.0

# At most this part of each pause is left out at random, so that processes that lost the endpoint
# together don't probe together.
_JITTERED_PART = 0.25


class Change(enum.Enum):
    """What a probe changed."""

    OPENED = enum.auto()
    CLOSED = enum.auto()


class State(enum.Enum):
    """What is known of the endpoint; the numbers are those of the metric."""

    TRUSTED = 0
    IN_DOUBT = 1
    OPEN = 2


class Breaker:
    """The breaker of one process, used by all its threads.

    Its lock is held for a few assignments, never during a request to the endpoint.

    Args:
        threshold: after so many outages in a row a request probes, if no background thread does.
        patience_seconds: how late a probe in the background may be before a request makes it;
            0: there is no background thread.
        first_pause_seconds: how long requests fail fast after the first failed probe; each
            further one doubles it.
        longest_pause_seconds: what it doubles up to.
        jitter: makes random numbers from 0 up to 1.

    Attributes:
        is_trusted: no outage is suspected or known: a request need neither call `admit` nor
            `record` that it was answered.
    """

    def __init__(
        self,
        *,
        threshold: int = THRESHOLD,
        patience_seconds: float = 0.0,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self._threshold = threshold
        self._patience_seconds = patience_seconds
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        # Nothing secret depends on it. A generator of our own leaves that of the app alone.
        self._jitter = jitter or random.Random().random  # noqa: S311
        self._lock = threading.Lock()
        self._outages = 0  # in a row, while closed
        self.is_trusted = True
        self._is_in_doubt = False
        self._is_probing = False
        self._probe_at = math.inf
        self._probed_at = -math.inf
        self._failed_probes = 0  # in a row; the breaker is open if there are any
        self._paused_at = 0.0
        self._pause_seconds = 0.0

    @property
    def fails_fast(self) -> bool:
        """Whether the breaker is open: requests are not sent."""
        return self._failed_probes > 0

    @property
    def state(self) -> State:
        """What is known of the endpoint now."""
        if self.fails_fast:
            return State.OPEN
        return State.TRUSTED if self.is_trusted else State.IN_DOUBT

    def admit(self, now: float) -> bool:
        """Return whether to probe first; the caller then probes and calls `conclude`.

        Args:
            now: seconds, by the clock that every call gets.

        Raises:
            Outage: (BREAKER_OPEN) don't ask; its `retry_after` is the rest of the pause.
        """
        if self._outages < self._threshold and not self._failed_probes:
            return False
        with self._lock:
            if not self.fails_fast:
                is_awaited = 0 < self._patience_seconds > now - self._probe_at
                if self._outages < self._threshold or self._is_probing or is_awaited:
                    return False
            else:
                remaining = self._remaining_seconds(now)
                if remaining > -self._patience_seconds or self._is_probing:
                    raise make_outage(
                        Outcome.BREAKER_OPEN, retry_after=max(1, math.ceil(max(remaining, 0)))
                    )
            self._begin_probe(now)
            return True

    @property
    def probe_at(self) -> float:
        """When the next probe is due, by the clock that every call gets; infinity: never."""
        return self._probe_at

    def begin_probe(self, now: float) -> bool:
        """Return whether to probe in the background; the caller then probes, calls `conclude`."""
        with self._lock:
            if self._is_probing or not (self.fails_fast or self._is_in_doubt):
                return False
            self._begin_probe(now)
            return True

    def _begin_probe(self, now: float) -> None:
        self._is_probing = True
        self._probed_at = now
        self._probe_at = now + _LONGEST_PROBE_SECONDS

    def record(self, health: Health, now: float) -> bool:
        """Record the outcome of a call that was no probe; it can't close an open breaker.

        Returns whether it put the endpoint in doubt, so that a probe is due.
        """
        if health is Health.UNKNOWN or (health is Health.ANSWERS and not self._is_in_doubt):
            return False
        with self._lock:
            if health is Health.ANSWERS:
                self._outages, self._is_in_doubt = 0, False
                self.is_trusted = not self.fails_fast
                if not self.fails_fast and not self._is_probing:
                    self._probe_at = math.inf
                return False
            self._outages += 1
            return self._doubt(now)

    def suspect(self, now: float) -> bool:
        """Record that a call in the background failed; returns as `record` does."""
        with self._lock:
            return self._doubt(now)

    def _doubt(self, now: float) -> bool:
        if self._is_in_doubt or self.fails_fast:
            return False
        self._is_in_doubt, self.is_trusted = True, False
        if not self._is_probing:
            earliest = self._probed_at + SHORTEST_PAUSE_SECONDS
            # The second bound applies if the clock was set back.
            self._probe_at = min(max(now, earliest), now + SHORTEST_PAUSE_SECONDS)
        return True

    def conclude(self, health: Health | None, now: float) -> Change | None:
        """Record the outcome of a probe, and allow the next one.

        Args:
            health: the outcome; None if the probe was given up because its thread has to end.
            now: seconds.
        """
        with self._lock:
            self._is_probing = False
            was_open = self.fails_fast
            if health is None:
                self._probe_at = now + SHORTEST_PAUSE_SECONDS
                return None
            # If the endpoint is no longer in doubt, another request got an answer meanwhile.
            if not was_open and (health is not Health.FAILS or not self._is_in_doubt):
                self._reset()
                return None
            if health is Health.ANSWERS:
                self._reset()
                return Change.CLOSED
            self._pause_seconds = self._next_pause_seconds()
            self._paused_at = now
            self._probe_at = now + self._pause_seconds
            self._failed_probes += 1
            return None if was_open else Change.OPENED

    def _reset(self) -> None:
        self._outages = self._failed_probes = 0
        self._is_in_doubt, self.is_trusted = False, True
        self._probe_at = math.inf

    def _next_pause_seconds(self) -> float:
        # The exponent is bounded too: an outage may last for days.
        doubled = self._first_pause_seconds * (1 << min(self._failed_probes, 30))
        return min(doubled, self._longest_pause_seconds) * (1 - _JITTERED_PART * self._jitter())

    def _remaining_seconds(self, now: float) -> float:
        # A wall clock that was set back must not make the pause longer.
        if now < self._paused_at:
            return -math.inf
        return self._paused_at + self._pause_seconds - now

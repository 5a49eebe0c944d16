"""Logs faults of a shared cache, at most one a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable

from authmw.errors import CacheError
from authmw.runtime.clock import steady_clock
from authmw.runtime.counts import Count

LOG = logging.getLogger(__name__)

_PAUSE_SECONDS = 60.0


class FaultLog:
    """Logs the first fault at once, and one line a minute while more come.

    Args:
        clock: monotonic seconds.
        faults: counts all of them.
    """

    def __init__(
        self, clock: Callable[[], float] = steady_clock, *, faults: Count | None = None
    ) -> None:
        self._clock = clock
        self._faults = faults or Count()
        self._quiet_until = float("-inf")
        self._unlogged = 0

    def report(self, fault: CacheError) -> None:
        """Log this fault, or count it for the next line."""
        self._faults.add()
        # Two threads may both find the pause over: then two lines are logged, which is harmless.
        now = self._clock()
        if now < self._quiet_until:
            self._unlogged += 1
            return
        self._quiet_until = now + _PAUSE_SECONDS
        unlogged, self._unlogged = self._unlogged, 0
        LOG.warning(
            "The shared cache is at fault, requests go on without it: %s%s",
            str(fault),  # not the exception: a log record may be kept, and with it our frames
            f" (and {unlogged} more faults since the last line)" if unlogged else "",
        )

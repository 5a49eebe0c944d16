"""When this process last saw a token or bearer refused, so that no older answer counts as news."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from authmw.runtime.process import PerProcess

# Each refusal costs the identity endpoint one validation, so that an attacker can't drive
# others out within the time that answers count for.
_MAX_REFUSED = 100_000


class RefusalTimes:
    """The time of the last refusal, by key, of one process.

    A shared cache can be made to give back an older answer, sealed or not: whoever can write
    there can put back what stood there before. What this process saw refused since is no news.

    Args:
        seconds: how long after it was given an answer may be used at most.

    Attributes:
        get: `get(key, -1)` returns when this was last refused, epoch seconds; -1 where that is
            not known. It is the table's own method: each validation asks twice.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._times: dict[Hashable, int] = {}
        self._lock = PerProcess(threading.Lock)
        self.get = self._times.get

    def note(self, key: Hashable, now: float) -> None:
        """Note a refusal."""
        with self._lock.get():
            # Moved to the young end, so that the first is always the oldest.
            self._times.pop(key, None)
            self._times[key] = int(now)
            while self._times:
                oldest = next(iter(self._times))
                age = now - self._times[oldest]
                if 0 <= age <= self._seconds and len(self._times) <= _MAX_REFUSED:
                    break
                del self._times[oldest]

"""Records when a token or bearer was last refused, so that no older answer is used."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from authmw.runtime.process import PerProcess

# Each refusal costs the identity endpoint one validation, so that an attacker can't evict others
# while older answers are still used.
_MAX_REFUSED = 100_000


class RefusalTimes:
    """The time of the last refusal, by key, of one process.

    Anyone who can write to a shared cache can replay an older entry, sealed or not. So an answer
    given before a refusal that this process saw is not used.

    Args:
        seconds: longest time for which an answer is used.

    Attributes:
        get: `get(key, -1)` returns when the key was last refused, epoch seconds; -1: not known. It
            is the method of the dict itself, since each validation calls it twice.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._times: dict[Hashable, int] = {}
        self._lock = PerProcess(threading.Lock)
        self.get = self._times.get

    def note(self, key: Hashable, now: float) -> None:
        """Record a refusal."""
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

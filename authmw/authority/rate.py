"""Limits how many bearers one process asks about in a second."""

from __future__ import annotations

import logging
import threading

from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

_WARN_AGAIN_SECONDS = 600
# From reading the clock to calling `take`; a call to the identity endpoint may lie in between.
_LONGEST_DELAY_SECONDS = 60


class RenewalRate:
    """A token bucket that holds the calls of one second.

    Args:
        per_second: `authority_renewal_rate`; 0 allows none.
    """

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._bucket = PerProcess(_Bucket)

    def take(self, now: float) -> bool:
        """Tell whether one more bearer may be asked now, and count it."""
        bucket = self._bucket.get()
        with bucket.lock:
            elapsed = now - bucket.filled_at
            if elapsed > 0:
                gained = elapsed * self._per_second
                bucket.left = min(float(self._per_second), bucket.left + gained)
            # A thread that read the clock earlier than the last one leaves `filled_at` as it is.
            # After the clock was set back, filling starts again from the new time.
            if elapsed > 0 or elapsed < -_LONGEST_DELAY_SECONDS:
                bucket.filled_at = now
            if bucket.left >= 1:
                bucket.left -= 1
                return True
            if abs(now - bucket.warned_at) < _WARN_AGAIN_SECONDS:
                return False
            bucket.warned_at = now
        _log.warning(
            "more bearers are in use than authority_renewal_rate = %d a second can renew within "
            "authority_cache_time: a role taken away is noticed later, within token_cache_time",
            self._per_second,
        )
        return False


class _Bucket:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.left = 0.0
        self.filled_at = float("-inf")
        self.warned_at = float("-inf")

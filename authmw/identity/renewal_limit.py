"""How often our own token may be replaced before its end, by who found fault with it.

Each replacement is an authentication of ours, and clients can provoke what looks like a reason:
with a token that another service refuses, or one for which a proxy answers in Keystone's place.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable

from authmw.runtime.clock import steady_clock


class Doubt(enum.Enum):
    """Why our own token may be no good; the value is how many seconds part two replacements."""

    # The identity endpoint answered 401 to us. No client's token causes that by itself. A token
    # issued in the second of a revocation is revoked as well: the next second's is good.
    REFUSED = 1.0
    # Another service answered 401 to a call that carries the caller's token beside ours.
    REFUSED_ELSEWHERE = 60.0
    # A 404 that is not Keystone's, or a catalog without its endpoint.
    ENDPOINT_LOST = 30.0


class RenewalLimit:
    """Allows a replacement once in a while, for each doubt by itself.

    One limit for all would let a client use up what a token that was really revoked needs.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = steady_clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._not_before: dict[Doubt, float] = {}

    def allows(self, doubt: Doubt) -> bool:
        """Tell whether to replace the token now; if so, not again for the doubt's seconds."""
        with self._lock:
            now = self._clock()
            if now < self._not_before.get(doubt, now):
                return False
            self._not_before[doubt] = now + doubt.value
            return True

"""Limits how often our own token is replaced before it expires, by the reason for doubting it.

Each replacement is an authentication of ours, and clients can provoke an apparent reason: with a
token that another service refuses, or one for which a proxy answers in Keystone's place.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable

from authmw.runtime.clock import steady_clock


class Doubt(enum.Enum):
    """Why our own token may be invalid; the value is the seconds between two replacements."""

    # The identity endpoint answered 401 to us. No client's token causes that. A token issued in
    # the second of a revocation is revoked as well; one issued a second later is not.
    REFUSED = 1.0
    # Another service answered 401 to a call that carries the caller's token beside ours.
    REFUSED_ELSEWHERE = 60.0
    # A 404 that is not Keystone's, or a catalog without its endpoint.
    ENDPOINT_LOST = 30.0


class RenewalLimit:
    """Allows one replacement in a doubt's seconds, each doubt having a limit of its own.

    With one limit for all doubts, a client could use up the replacement that a revoked token needs.

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

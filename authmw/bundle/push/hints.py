"""When hints lead to a synchronization: soon, and however many there are, not often."""

from __future__ import annotations

import random
from collections.abc import Callable


class Hints:
    """Turns hints into times at which to synchronize; without a clock or thread of its own.

    Sites hear of a new head at the same moment. Each waits for a random part of the spread, so
    that a server of many sites is not asked by all of them at once.

    Args:
        min_interval_seconds: at least between two synchronizations.
        spread_seconds: at most from a hint to a synchronization that need not wait for the
            interval.
        chance: returns a number from 0 to 1.
    """

    def __init__(
        self,
        *,
        min_interval_seconds: float,
        spread_seconds: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._min_interval_seconds = min_interval_seconds
        self._spread_seconds = spread_seconds
        self._chance = chance
        self._begun_at = float("-inf")
        self._is_planned = False

    def hear(self, now: float) -> float | None:
        """Return the seconds until a synchronization is due; None: one is planned already.

        Args:
            now: seconds of a monotonic clock.
        """
        if self._is_planned:
            return None
        self._is_planned = True
        due_at = max(
            now + self._spread_seconds * self._chance(),
            self._begun_at + self._min_interval_seconds,
        )
        return due_at - now

    def begin(self, now: float) -> None:
        """Say that the planned synchronization begins: a hint from now on plans another."""
        self._is_planned = False
        self._begun_at = now

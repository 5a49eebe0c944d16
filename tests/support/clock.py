"""The one clock that tests hand to filters, feeds and the servers they ask."""

from __future__ import annotations

import time


class Clock:
    """Epoch seconds when called; moves as a test says, back as well.

    Args:
        now: where the clock stands still; None for the true time, which goes on by itself.

    Attributes:
        ahead_seconds: what tests have added to either.
    """

    def __init__(self, now: float | None = None) -> None:
        self._stands_at = now
        self.ahead_seconds = 0.0

    def __call__(self) -> float:
        began = time.time() if self._stands_at is None else self._stands_at
        return began + self.ahead_seconds

    @property
    def now(self) -> float:
        return self()

    @now.setter
    def now(self, moment: float) -> None:
        self.ahead_seconds += moment - self()

    def advance(self, seconds: float) -> None:
        """Move the clock; fewer than 0 seconds set it back."""
        self.ahead_seconds += seconds

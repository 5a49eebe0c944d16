"""A clock that a test moves."""

from __future__ import annotations

import time


class Clock:
    """Returns epoch seconds when called; stands still until it is advanced."""

    def __init__(self, now: float | None = None) -> None:
        self._now = time.time() if now is None else now

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance by some seconds, which must not be negative (ValueError)."""
        if seconds < 0:
            raise ValueError(f"a clock can't go back, by {-seconds} seconds")
        self._now += seconds

    def advance_to(self, moment: float) -> None:
        """Advance to epoch seconds; without effect if they are in the past."""
        self._now = max(self._now, moment)

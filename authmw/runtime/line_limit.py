"""Bounds how many log lines of one cause are written, since clients can provoke them."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from authmw.runtime.clock import steady_clock

BURST_LINES = 20
"""Lines of one cause that are written at once."""
LINES_PER_SECOND = 1.0
"""Lines of one cause that are written for long."""


class LineLimit:
    """Allows a burst of lines for each cause, and a slow stream after it.

    No lock: threads that come at the same time may write a line more, or count one less.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = steady_clock) -> None:
        self._clock = clock
        # By cause: lines that may be written, the time of that number, lines left out since.
        self._states: dict[Hashable, tuple[float, float, int]] = {}

    def admit(self, cause: Hashable) -> int | None:
        """Return how many lines of a cause were left out since the last one; None: leave it out.

        Args:
            cause: one of few; each is remembered.
        """
        now = self._clock()
        lines, since, left_out = self._states.get(cause, (BURST_LINES, now, 0))
        lines = min(BURST_LINES, lines + max(0.0, now - since) * LINES_PER_SECOND)
        if lines < 1:
            self._states[cause] = (lines, now, left_out + 1)
            return None
        self._states[cause] = (lines - 1, now, 0)
        return left_out


def describe_left_out(number: int) -> str:
    """Return what the next line of a cause says of those left out; "" if there were none."""
    return f" (and {number} more like this since the last line)" if number else ""

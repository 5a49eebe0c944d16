"""When revocation events were last asked for and last read, by whichever process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PollState:
    """The latest polls, ours or another process's. One thread at a time may change it.

    Attributes:
        tried_at: when the latest began, epoch seconds; None: there was none yet.
        answered_at: when the latest that was answered began, epoch seconds; None: there was
            none yet.
        is_forbidden: the identity service last answered 403.
        trouble: why our own latest poll failed, for the log; None: it succeeded, or another
            process has read events since.
    """

    tried_at: float | None = None
    answered_at: float | None = None
    is_forbidden: bool = False
    trouble: str | None = None

    def is_due(self, interval_seconds: float, now: float) -> bool:
        """Whether the latest poll began at least an interval ago; `now` in epoch seconds."""
        # abs(): a clock that was set back must not keep us waiting for as long.
        return self.tried_at is None or abs(now - self.tried_at) >= interval_seconds


def later_of(known: float | None, reported: float, now: float) -> float:
    """Return the later of two times in the past, epoch seconds.

    Args:
        known: a time of our own clock; ignored where it lies ahead, after the clock was set back.
        reported: a time of another host's clock, which may be ahead of ours.
        now: our own time.
    """
    reported = min(reported, now)
    return reported if known is None or known > now else max(known, reported)

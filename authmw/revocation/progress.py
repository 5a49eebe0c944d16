"""How far polling has come, whichever process polls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """The latest polls, ours or another process's. One thread at a time may change it.

    Attributes:
        tried_at: when the latest began, epoch seconds; None: there was none yet.
        answered_at: when the latest that was answered began, epoch seconds; None: there was
            none yet.
        is_forbidden: the identity service last answered 403.
        trouble: why our own latest question got no answer that can be used, for the log;
            None: it got one, or another process has got one since.
    """

    tried_at: float | None = None
    answered_at: float | None = None
    is_forbidden: bool = False
    trouble: str | None = None

    def is_due(self, interval_seconds: float, now: float) -> bool:
        """Whether the latest poll began at least an interval ago; `now` in epoch seconds."""
        # abs(): a clock that was set back must not keep us waiting for as long.
        return self.tried_at is None or abs(now - self.tried_at) >= interval_seconds

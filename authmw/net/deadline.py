"""One total deadline for all requests that a validation sends.

Discovery, our own authentication and the validation happen deep inside other libraries, so the
deadline is a context variable: threads, eventlet and gevent each keep their own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

from authmw.errors import DeadlineExceeded

# Monotonic seconds; infinity: no deadline.
ends_at: ContextVar[float] = ContextVar("authmw.net.deadline", default=float("inf"))


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give everything inside the block this many seconds in total."""
    token = ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        ends_at.reset(token)


def remaining_seconds() -> float:
    """Return what is left of the deadline: infinity without one, negative past it."""
    return ends_at.get() - time.monotonic()


def bounded(step_seconds: float) -> float:
    """Return the time-out of one step: its own limit, or less if the deadline is nearer.

    Raises DeadlineExceeded if nothing is left.
    """
    left = remaining_seconds()
    if left <= 0:
        raise DeadlineExceeded
    return min(step_seconds, left)

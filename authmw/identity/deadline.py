"""One total deadline for everything that a validation makes us do.

Discovery, our own authentication and the validation happen deep inside other libraries,
so the deadline travels beside the calls: a context variable, which threads, eventlet and
gevent each keep apart.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

_ends_at: ContextVar[float | None] = ContextVar("authmw_identity_deadline", default=None)


class DeadlineExceeded(Exception):
    """The time for one validation is used up.

    No OSError on purpose: the libraries between socket and client would take it for one
    more time-out of one more step, and try again.
    """


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give everything inside the block this many seconds in total."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def remaining_seconds() -> float:
    """Return what is left of the deadline: infinite outside of one, negative past it."""
    ends_at = _ends_at.get()
    return float("inf") if ends_at is None else ends_at - time.monotonic()


def bounded(step_seconds: float) -> float:
    """Return the time-out of one step: its own limit, or less if the deadline is nearer.

    Raises DeadlineExceeded when nothing is left.
    """
    left = remaining_seconds()
    if left <= 0:
        raise DeadlineExceeded
    return min(step_seconds, left)

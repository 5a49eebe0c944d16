"""The clocks of the process, looked up at each call.

A test may replace `time.time` or `time.monotonic` (`unittest.mock`, freezegun). A reference taken
at import, such as a default argument, would still return the real time.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_clock() -> float:
    """Return epoch seconds; the clock may be set, back as well."""
    return time.time()


def steady_clock() -> float:
    """Return monotonic seconds."""
    return time.monotonic()


# Clocks that tests move, by the address of the identity service; none in production.
_followed: dict[str, Callable[[], float]] = {}


def follow(auth_url: str, clock: Callable[[], float]) -> None:
    """Let the filters of this process that are built from now on go by a clock.

    Args:
        auth_url: of those filters; the test's own identity service.
        clock: epoch seconds.
    """
    _followed[auth_url] = clock


def unfollow(auth_url: str) -> None:
    """Undo `follow` for filters that are built later."""
    _followed.pop(auth_url, None)


def find_followed(auth_url: object) -> Callable[[], float] | None:
    """Return the clock of `follow` for filters of this address; None: the machine's."""
    return _followed.get(auth_url) if isinstance(auth_url, str) else None

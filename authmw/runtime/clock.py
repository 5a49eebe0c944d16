"""The clocks of the process, looked up at each call.

A test may replace `time.time` or `time.monotonic` (`unittest.mock`, freezegun). A reference taken
at import, such as a default argument, would still return the real time.
"""

from __future__ import annotations

import time


def wall_clock() -> float:
    """Return epoch seconds; the clock may be set, back as well."""
    return time.time()


def steady_clock() -> float:
    """Return monotonic seconds."""
    return time.monotonic()

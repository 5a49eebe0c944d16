"""Describes times for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
# Epoch seconds from 2001 to 2286, as messages for the log have them.
_EPOCH = re.compile(r"(?<![\w.-])[1-9][0-9]{9}(?![\w.-])")


def describe_time(seconds: int, now: float) -> str:
    """Return epoch seconds as a date with the distance from `now`.

    A time beyond the year 9999 is returned as a number.
    """
    try:
        date = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
    away = seconds - int(now)
    span = describe_span(abs(away))
    return f"{date}, {f'in {span}' if away > 0 else f'{span} ago'}"


def explain_times(text: str, now: float) -> str:
    """Return a message with a date after each time that is a number of seconds in it."""
    return _EPOCH.sub(lambda found: f"{found[0]} ({describe_time(int(found[0]), now)})", text)


def describe_span(seconds: int) -> str:
    """Return a number of seconds in its two largest units."""
    counts = []
    for name, size in _UNITS:
        count, seconds = divmod(seconds, size)
        counts.append((count, f"{count} {name}{'' if count == 1 else 's'}"))
    first = next((place for place, (count, _) in enumerate(counts) if count), len(_UNITS) - 1)
    return " ".join(words for count, words in counts[first : first + 2] if count) or "0 seconds"

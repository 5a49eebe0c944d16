"""Describes spans of time for people."""

from __future__ import annotations

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def describe_span(seconds: int) -> str:
    """Return a number of seconds in its two largest units."""
    counts = []
    for name, size in _UNITS:
        count, seconds = divmod(seconds, size)
        counts.append((count, f"{count} {name}{'' if count == 1 else 's'}"))
    first = next((place for place, (count, _) in enumerate(counts) if count), len(_UNITS) - 1)
    return " ".join(words for count, words in counts[first : first + 2] if count) or "0 seconds"

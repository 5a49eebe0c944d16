"""Describes times for people."""

from __future__ import annotations

from datetime import UTC, datetime

from authmw.doctor.spans import describe_span


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

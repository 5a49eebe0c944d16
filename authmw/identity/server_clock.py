"""How far a server's clock is from ours, by the Date header of its latest response."""

from __future__ import annotations

from collections.abc import Callable

from authmw.runtime.clock import wall_clock


class ServerClock:
    """Keeps the latest Date header (RFC 9110 §6.6.1), and parses it when somebody asks.

    Args:
        clock: ours, epoch seconds.
    """

    def __init__(self, clock: Callable[[], float] = wall_clock) -> None:
        self._clock = clock
        self._latest: tuple[str, float] | None = None

    def note(self, date: str | None) -> None:
        """Note the Date header of a response that came just now; None: it has none."""
        if date is not None:
            self._latest = (date, self._clock())

    def find_difference(self) -> float | None:
        """Return how many seconds the server's clock was ahead of ours; None: it is not known."""
        # Imported here: few filters ask.
        from authmw.identity.http_messages import parse_http_date

        latest = self._latest
        date = None if latest is None else parse_http_date(latest[0])
        return None if latest is None or date is None else date - latest[1]

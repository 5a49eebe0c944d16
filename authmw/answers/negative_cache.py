"""A cache of refusals in memory, for a few seconds, against floods of one refused token."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

from authmw.errors import InvalidToken

_MAX_REFUSALS = 10_000


class NegativeCache:
    """Caches why tokens were refused (`negative_cache_time`).

    Args:
        seconds: how long; 0 turns it off. Short, as a token may become valid.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._known: dict[bytes, tuple[float, InvalidToken]] = {}

    def verify_not_refused(self, key: Hashable, now: float) -> None:
        """Refuse a token that was refused a moment ago.

        Raises:
            InvalidToken: with the reason it was refused for.
        """
        if not self._known:
            return
        known = self._known.get(_digest(key))
        # The lower bound is for a clock that was set back.
        if known is not None and known[0] - self._seconds - 1 <= now < known[0]:
            # A new object: an exception collects tracebacks as it is raised.
            raise known[1].renew()

    def remember(self, key: Hashable, refusal: InvalidToken, now: float) -> None:
        """Cache a refusal."""
        if not self._seconds:
            return
        if len(self._known) >= _MAX_REFUSALS:
            # All at once: to choose some would cost more than to ask about them again.
            self._known.clear()
        self._known[_digest(key)] = (now + self._seconds, refusal)


def _digest(key: Hashable) -> bytes:
    return hashlib.sha256(repr(key).encode("utf-8", "surrogatepass")).digest()

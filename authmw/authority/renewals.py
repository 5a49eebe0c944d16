"""The authorizations of one process that are to be renewed in the background."""

from __future__ import annotations

import threading

from authmw.authority.authorization import Authorization
from authmw.authority.bearer import Bearer

# Renewals that wait at most; beyond it an authorization is renewed by a request when it ends.
_MAX_WAITING = 1000


class Renewals:
    """A queue with one place for each bearer.

    Attributes:
        wanted_since: epoch seconds since when the first one waits; infinity: none does. While
            renewals are under way it is when they should have ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[Bearer, Authorization]] = {}
        self._is_under_way = False
        self.wanted_since = float("inf")

    def want(self, bearer: Bearer, known: Authorization, now: float) -> bool:
        """Note that an authorization is to be renewed; False if that is noted already."""
        if bearer.key in self._wanted or len(self._wanted) >= _MAX_WAITING:
            return False
        with self._lock:
            self._wanted[bearer.key] = (bearer, known)
            if not self._is_under_way:
                self.wanted_since = min(self.wanted_since, now)
        return True

    def begin(self, ends_at: float) -> None:
        """Note that renewals are under way, and when they should have ended."""
        with self._lock:
            self._is_under_way = True
            self.wanted_since = ends_at

    def end(self, now: float) -> None:
        """Note that they have ended; what is left is wanted since now."""
        with self._lock:
            self._is_under_way = False
            self.wanted_since = now if self._wanted else float("inf")

    def take_one(self) -> tuple[Bearer, Authorization] | None:
        """Return what has waited longest, or None."""
        with self._lock:
            key = next(iter(self._wanted), None)
            return None if key is None else self._wanted.pop(key)

    def clear(self) -> None:
        """Drop all that wait."""
        with self._lock:
            self._wanted.clear()

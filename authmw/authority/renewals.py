"""The authorizations of one process that are to be renewed in the background."""

from __future__ import annotations

import threading

from authmw.authority.authorization import Authorization
from authmw.authority.bearer import Bearer

# Most renewals that wait. Any other authorization is renewed by a request when it ends.
_MAX_WAITING = 1000


class Renewals:
    """A queue with one place for each bearer.

    Attributes:
        waiting_since: epoch seconds since when the first one waits; infinity: none does. While
            renewals run, it is when they should have ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Bearer, Authorization]] = {}
        self._is_under_way = False
        self.waiting_since = float("inf")

    def add(self, bearer: Bearer, known: Authorization, now: float) -> bool:
        """Queue the renewal of an authorization; False: it is queued, or the queue is full."""
        if bearer.key in self._waiting or len(self._waiting) >= _MAX_WAITING:
            return False
        with self._lock:
            self._waiting[bearer.key] = (bearer, known)
            if not self._is_under_way:
                self.waiting_since = min(self.waiting_since, now)
        return True

    def begin(self, ends_at: float) -> None:
        """Record that renewals run, and when they should have ended."""
        with self._lock:
            self._is_under_way = True
            self.waiting_since = ends_at

    def end(self, now: float) -> None:
        """Record that renewals have ended; those left wait since now."""
        with self._lock:
            self._is_under_way = False
            self.waiting_since = now if self._waiting else float("inf")

    def take_one(self) -> tuple[Bearer, Authorization] | None:
        """Return the renewal that has waited longest, or None."""
        with self._lock:
            key = next(iter(self._waiting), None)
            return None if key is None else self._waiting.pop(key)

    def clear(self) -> None:
        """Drop all waiting renewals."""
        with self._lock:
            self._waiting.clear()

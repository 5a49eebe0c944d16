"""Counts the changes of the keys in use, so that caches of verified tokens notice them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from authmw.runtime.process import PerProcess


class KeyChanges:
    """Counts the changes of one key source, and calls its listeners.

    Attributes:
        generation: grows whenever the set of usable keys changes, also when keys grow older than
            `jws_keys_max_age`. A plain attribute, since every request compares it. Keys are
            replaced before it grows, so a caller that reads it before the keys misses no change.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._counting = PerProcess(threading.Lock)
        self._listeners: tuple[Callable[[], None], ...] = ()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change, in the thread that found the change."""
        self._listeners += (listener,)

    def count_change(self) -> None:
        """Count one more change."""
        # Without a lock, a thread could set the number back to an earlier one.
        with self._counting.get():
            self.generation += 1
        for listener in self._listeners:
            listener()

"""Counts the changes of the keys in use, for those who remember what a key has verified."""

from __future__ import annotations

import threading
from collections.abc import Callable

from authmw.runtime.process import PerProcess


class KeyChanges:
    """What every key source tells of its changes.

    Attributes:
        generation: another number whenever the set of usable keys has become another one, also
            by keys that grew older than `jws_keys_max_age`. It only grows. A plain attribute, so
            that every request can compare it. Whoever reads it before the keys may miss no
            change: keys are replaced first, then the number.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._counting = PerProcess(threading.Lock)
        self._listeners: tuple[Callable[[], None], ...] = ()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have this called after each change, in the thread that found it."""
        self._listeners += (listener,)

    def count_change(self) -> None:
        """Count one more change."""
        # Of three threads without a lock, one could set the number back to an earlier one.
        with self._counting.get():
            self.generation += 1
        for listener in self._listeners:
            listener()

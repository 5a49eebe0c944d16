"""State that belongs to one process: made at first use, made anew after a fork.

Pre-fork servers build the filter in the parent and serve from its children. A lock held, a socket
opened or a thread started before the fork is broken or shared after it, so a `PerProcess` holds
everything of that kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Holds one lazily made object for each process.

    Two threads that come first at the same time may both call the factory; one result is kept and
    both get it (`dict.setdefault` is atomic). This takes no lock that a fork could leave held. The
    factory must therefore have no side effect that would need undoing, such as an open connection.
    """

    __slots__ = ("_factory", "_held")

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory
        self._held: dict[int, T] = {}

    def get(self) -> T:
        """Return the object of this process; the first call makes it."""
        pid = os.getpid()
        try:
            return self._held[pid]
        except KeyError:
            pass
        # The parent's object is dropped, not closed: closing could send something on a
        # connection that the parent still uses.
        for other in [known for known in list(self._held) if known != pid]:
            self._held.pop(other, None)
        return self._held.setdefault(pid, self._factory())

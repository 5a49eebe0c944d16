"""Values that this process remembers, bounded by entries and by bytes.

Eviction is CLOCK: a hit only marks its entry as used, without a lock; to make room, the
oldest entry goes unless it was used since it was last looked at, in which case it gets a
second chance at the young end.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from authmw.runtime.process import PerProcess

# The entry object, its place in the table and the key's own header, in bytes.
_ENTRY_OVERHEAD = 400


class SharedPart(Protocol):
    """A part that several values have in common: one object, compared by identity."""

    @property
    def size(self) -> int:
        """The memory it takes, in bytes, roughly."""


class Remembered(Protocol):
    """What can be held."""

    @property
    def size(self) -> int:
        """The memory it takes by itself, in bytes, roughly."""

    @property
    def catalog(self) -> SharedPart | None:
        """Its largest part, which it may share with others."""


V = TypeVar("V", bound=Remembered)


class Entry(Generic[V]):
    """One remembered value.

    Attributes:
        value: what is remembered.
        catalog: of the value.
        generation: what the value was last judged by, counted by whoever judges.
        used: set by every hit; read and cleared when room is made.
    """

    __slots__ = ("catalog", "generation", "size", "used", "value")

    def __init__(self, value: V, generation: object, size: int) -> None:
        self.value = value
        self.catalog = value.catalog
        self.generation = generation
        self.size = size
        self.used = False


class MemoryCache(Generic[V]):
    """Maps a key, such as a token string, to an `Entry`.

    Args:
        max_entries: how many entries are held; 0 holds none.
        max_bytes: how much memory they may take together, by estimate; a catalog that
            several of them share counts once.
    """

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, Entry[V]] = OrderedDict()
        self._catalogs: Counter[SharedPart] = Counter()
        self._bytes = 0
        self._lock = PerProcess(threading.Lock)
        # Bound once: the hot path is one call into C.
        self.get = self._entries.get

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The memory all entries take, in bytes, by estimate."""
        return self._bytes

    def use(self, key: Hashable) -> V | None:
        """Return a value, and take note that it is in use; None: it is not held."""
        entry = self.get(key)
        if entry is None:
            return None
        entry.used = True
        return entry.value

    def put(self, key: Hashable, value: V, generation: object = None) -> None:
        """Remember a value, and forget others until the bounds are kept."""
        entry = Entry(value, generation, _ENTRY_OVERHEAD + value.size + 2 * _key_length(key))
        alone = entry.size + (entry.catalog.size if entry.catalog else 0)
        with self._lock.get():
            if key in self._entries:
                self._remove(key)
            # What is larger than all the room there is must not drive everybody else out.
            if alone > self._max_bytes or not self._max_entries:
                return
            if self._is_over(alone, entries=1):
                self._make_room(entry)
            self._entries[key] = entry
            self._account(entry, 1)

    def discard(self, key: Hashable) -> None:
        """Forget a value, if it is held."""
        with self._lock.get():
            self._remove(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock.get():
            self._entries.clear()
            self._catalogs.clear()
            self._bytes = 0

    def _make_room(self, newcomer: Entry[V]) -> None:
        while self._entries and self._is_over(self._growth(newcomer), entries=1):
            oldest, candidate = next(iter(self._entries.items()))
            if candidate.used:
                candidate.used = False
                self._entries.move_to_end(oldest)
            else:
                self._remove(oldest)

    def _growth(self, newcomer: Entry[V]) -> int:
        # Asked anew for each that goes: with the last of its holders a catalog goes as well.
        catalog = newcomer.catalog
        if catalog is None or catalog in self._catalogs:
            return newcomer.size
        return newcomer.size + catalog.size

    def _is_over(self, more_bytes: int, *, entries: int = 0) -> bool:
        return (
            len(self._entries) + entries > self._max_entries
            or self._bytes + more_bytes > self._max_bytes
        )

    def _remove(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._account(entry, -1)

    def _account(self, entry: Entry[V], sign: int) -> None:
        self._bytes += sign * entry.size
        catalog = entry.catalog
        if catalog is not None:
            if sign > 0:
                self._catalogs[catalog] += 1
                if self._catalogs[catalog] == 1:
                    self._bytes += catalog.size
            else:
                self._catalogs[catalog] -= 1
                if not self._catalogs[catalog]:
                    del self._catalogs[catalog]
                    self._bytes -= catalog.size


def _key_length(key: Hashable) -> int:
    if isinstance(key, tuple):
        return sum(_key_length(part) for part in key)
    return len(key) if isinstance(key, str) else 0

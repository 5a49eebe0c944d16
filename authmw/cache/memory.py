"""A cache in the memory of one process, bounded in entries as well as bytes.

Eviction is CLOCK: a hit only marks its entry as used, without a lock. To make room, the oldest
entry is evicted, unless it was used since its last turn: then it moves to the young end.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
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


class Cacheable(Protocol):
    """A value that the cache can hold."""

    @property
    def size(self) -> int:
        """The memory it takes without the shared part, in bytes, roughly."""

    @property
    def catalog(self) -> SharedPart | None:
        """Its largest part, which it may share with others."""


V = TypeVar("V", bound=Cacheable)


class Entry(Generic[V]):
    """One cached value.

    Attributes:
        value: what is cached.
        generation: the caller's mark of the state in which it last checked the value.
        used: set by every hit; read and cleared when room is made.
        size: the bytes it takes, the shared part not included.
        shared: the value's shared part.
    """

    __slots__ = ("generation", "shared", "size", "used", "value")

    def __init__(self, value: V, generation: object, size: int) -> None:
        self.value = value
        self.generation = generation
        self.shared = value.catalog
        self.size = size
        self.used = False


class MemoryCache(Generic[V]):
    """Maps a key, such as a token string, to an `Entry`.

    Args:
        max_entries: how many entries are held; 0 holds none.
        max_bytes: how much memory they may take together, by estimate; a part that several of
            them share counts once.
    """

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, Entry[V]] = OrderedDict()
        self._shared: dict[SharedPart, int] = {}
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
        """Return a value and mark it as used; None: it is not held."""
        entry = self.get(key)
        if entry is None:
            return None
        entry.used = True
        return entry.value

    def put(self, key: Hashable, value: V, generation: object = None) -> None:
        """Cache a value, and evict others until the bounds are met."""
        length = len(key) if type(key) is str else _key_length(key)
        entry = Entry(value, generation, _ENTRY_OVERHEAD + value.size + 2 * length)
        full_size = entry.size + (entry.shared.size if entry.shared is not None else 0)
        with self._lock.get():
            if key in self._entries:
                self._remove(key)
            # A value larger than the whole cache must not evict all others.
            if full_size > self._max_bytes or not self._max_entries:
                return
            if len(self._entries) >= self._max_entries or self._bytes + full_size > self._max_bytes:
                self._make_room(entry)
            self._entries[key] = entry
            self._account(entry, 1)

    def discard(self, key: Hashable) -> None:
        """Drop a value, if it is cached."""
        with self._lock.get():
            self._remove(key)

    def clear(self) -> None:
        """Drop all values."""
        with self._lock.get():
            self._entries.clear()
            self._shared.clear()
            self._bytes = 0

    def _make_room(self, newcomer: Entry[V]) -> None:
        while self._entries and (
            len(self._entries) >= self._max_entries
            or self._bytes + self._growth(newcomer) > self._max_bytes
        ):
            oldest, candidate = next(iter(self._entries.items()))
            if candidate.used:
                candidate.used = False
                self._entries.move_to_end(oldest)
            else:
                self._remove(oldest)

    def _growth(self, newcomer: Entry[V]) -> int:
        # Computed anew after each removal: a shared part goes with the last entry that has it.
        shared = newcomer.shared
        if shared is None or shared in self._shared:
            return newcomer.size
        return newcomer.size + shared.size

    def _remove(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._account(entry, -1)

    def _account(self, entry: Entry[V], sign: int) -> None:
        self._bytes += sign * entry.size
        shared = entry.shared
        if shared is None:
            return
        before = self._shared.get(shared, 0)
        if before + sign:
            self._shared[shared] = before + sign
        else:
            del self._shared[shared]
        if not before or not before + sign:
            self._bytes += sign * shared.size


def _key_length(key: Hashable) -> int:
    if isinstance(key, tuple):
        return sum(_key_length(part) for part in key)
    return len(key) if isinstance(key, (str, bytes)) else 0

"""Remembers what may be used once, such as the proofs of RFC 9449, while it could be used again."""

from __future__ import annotations

import threading
from typing import Protocol

from authmw.cache.digests import KeyMaker
from authmw.cache.fault_log import FaultLog
from authmw.errors import CacheError, IdentityUnavailable
from authmw.runtime.process import PerProcess

_KIND = "replay"


class Replays(Protocol):
    """Lets each id pass once."""

    def claim(self, replay_id: bytes, now: float) -> bool:
        """Tell whether an id is new; it is not from now on.

        Raises:
            IdentityUnavailable: there is no room to remember it.
        """


class MemoryReplays:
    """Remembers ids in this process.

    Args:
        window_seconds: how long an id could be used again. It is remembered for one to two
            windows.
        max_entries: ids remembered at once. When they are that many, new ones are refused:
            to forget one would let it pass again.
    """

    def __init__(self, window_seconds: float, max_entries: int = 200_000) -> None:
        self._window = window_seconds
        self._max_entries = max_entries
        self._state = PerProcess(_Windows)

    def claim(self, replay_id: bytes, now: float) -> bool:
        """See `Replays`."""
        state = self._state.get()
        with state.lock:
            state.advance(now, self._window)
            if replay_id in state.current or replay_id in state.previous:
                return False
            if len(state.current) + len(state.previous) >= self._max_entries:
                raise IdentityUnavailable(
                    f"{self._max_entries} DPoP proofs came in a moment, more than are remembered"
                )
            state.current.add(replay_id)
            return True


class _Windows:
    """The ids of this window and of the one before."""

    __slots__ = ("begun_at", "current", "lock", "previous")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun_at = float("-inf")
        self.current: set[bytes] = set()
        self.previous: set[bytes] = set()

    def advance(self, now: float, window: float) -> None:
        """Begin another window if this one is over."""
        age = now - self.begun_at
        # A request that began before this window, and took long, is not a clock that was set back.
        if -window < age < window:
            return
        if age < 0:
            # The clock was set back: what was too old may be used again.
            self.previous |= self.current
        else:
            self.previous = self.current if age < 2 * window else set()
        self.current = set()
        self.begun_at = now


class AddingCache(Protocol):
    """A cache that processes share, and whose `add` is atomic; raises CacheError."""

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Keep a value unless there is one; returns whether it is kept."""


class SharedReplays:
    """Remembers ids in memcached as well, so that they pass once among all processes.

    While memcached does not answer, each process remembers what it has seen itself. Whoever can
    write to memcached can remove ids there, or refuse some of his choice.

    Args:
        memory: of this process.
        cache: shared with the others.
        keys: names the entries.
        ttl_seconds: how long an id could be used again.
    """

    def __init__(
        self, memory: MemoryReplays, cache: AddingCache, keys: KeyMaker, ttl_seconds: int
    ) -> None:
        self._memory = memory
        self._cache = cache
        self._keys = keys
        self._ttl_seconds = ttl_seconds
        self._faults = FaultLog()

    def claim(self, replay_id: bytes, now: float) -> bool:
        """See `Replays`."""
        if not self._memory.claim(replay_id, now):
            return False
        try:
            return self._cache.add(
                self._keys.make_key(_KIND, replay_id), b"used", self._ttl_seconds
            )
        except CacheError as fault:
            self._faults.report(fault)
            return True

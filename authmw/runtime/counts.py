"""Counts of what happens in this process: exact under threads and greenlets, anew after a fork.

`n += 1` on an attribute is several steps of the interpreter, so two threads may count once. A
`Count` takes the next number of an `itertools.count`, which is one step, needs no lock, and costs
less than a lock or a cell for each thread (ADR 0107).
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

SECONDS: tuple[float, ...] = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of the buckets of `Latencies`: from a signature verified here to a deadline."""

Labels = tuple[str, ...]


class Count:
    """Counts one kind of event.

    Attributes:
        add: counts one more. It is a function of C, bound once: the hot path calls it.
    """

    __slots__ = ("__weakref__", "_lock", "_numbers", "_taken", "add")

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.add: Callable[[], object] = self._numbers.__next__
        self._lock = threading.Lock()
        self._taken = 0  # numbers that no event took
        _all.add(self)

    def read(self) -> int:
        """Return how many events there were in this process."""
        # Nothing documented tells the next number without taking it.
        with self._lock:
            number = next(self._numbers) - self._taken
            self._taken += 1
        return number

    def restart(self) -> None:
        """Count from 0; for a child after a fork. `add` stays the same."""
        self._lock = threading.Lock()
        counted = self.read()
        self._taken += counted


class Tally:
    """Counts events by labels, each of a closed set: nothing that a client sends is one."""

    def __init__(self) -> None:
        self._counts: dict[Labels, Count] = {}

    def count(self, *labels: str) -> Count:
        """Return the count of one combination, which is listed from now on, if only as 0."""
        found = self._counts.get(labels)
        # setdefault is atomic: of two threads that come first, both count in the same.
        return self._counts.setdefault(labels, Count()) if found is None else found

    def add(self, *labels: str) -> None:
        """Count one more event."""
        self.count(*labels).add()

    def read(self) -> dict[Labels, int]:
        """Return the counts by their labels."""
        return {labels: count.read() for labels, count in list(self._counts.items())}


@dataclass(frozen=True, slots=True)
class Distribution:
    """How long events of one kind took.

    Attributes:
        buckets: the number of events in each bucket of `SECONDS`, and of longer ones; not
            cumulative.
        seconds: the sum of all.
    """

    buckets: tuple[int, ...]
    seconds: float

    @property
    def count(self) -> int:
        """The number of events."""
        return sum(self.buckets)

    def __add__(self, other: Distribution) -> Distribution:
        buckets = tuple(map(sum, zip(self.buckets, other.buckets, strict=True)))
        return Distribution(buckets, self.seconds + other.seconds)


class Latencies:
    """How long events took, by labels as of a `Tally`. For what takes long anyway: it locks.

    Attributes:
        listeners: called with the labels and the seconds of each event.
    """

    def __init__(self) -> None:
        self.listeners: tuple[Callable[[Labels, float], object], ...] = ()
        self.restart()
        _all.add(self)

    def restart(self) -> None:
        """Begin without events; for a child after a fork."""
        self._lock = threading.Lock()
        self._buckets: dict[Labels, list[int]] = {}
        self._seconds: dict[Labels, float] = {}

    def observe(self, labels: Labels, seconds: float) -> None:
        """Add one event."""
        bucket = bisect_left(SECONDS, seconds)
        with self._lock:
            buckets = self._buckets.get(labels)
            if buckets is None:
                buckets = self._buckets[labels] = [0] * (len(SECONDS) + 1)
            buckets[bucket] += 1
            self._seconds[labels] = self._seconds.get(labels, 0.0) + seconds
        for listener in self.listeners:
            listener(labels, seconds)

    def read(self) -> dict[Labels, Distribution]:
        """Return the distributions by their labels."""
        with self._lock:
            return {
                labels: Distribution(tuple(buckets), self._seconds[labels])
                for labels, buckets in self._buckets.items()
            }


# Whatever counts in this process. A forked child must not count what its parent did, and may have
# a copy of a lock that a thread of the parent held.
_all: weakref.WeakSet[Count | Latencies] = weakref.WeakSet()


def _restart_all() -> None:
    for counting in list(_all):
        counting.restart()


os.register_at_fork(after_in_child=_restart_all)

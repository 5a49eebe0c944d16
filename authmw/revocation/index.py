"""Matching tokens with revocation events at a cost that does not grow with their number.

Events are grouped by attribute set; Keystone makes fewer than ten of those. In each, a dict maps
the values of an event to its latest `issued_before`, so that a token takes one look-up for each
combination of its values.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from authmw.revocation.attributes import ATTRIBUTE_BY_NAME, Attribute, Value
from authmw.revocation.events import RevocationEvent
from authmw.revocation.facts import RevocationFacts

# One value for a set of one attribute (which saves a tuple for each event), else a tuple of values.
_Key = Value | None | tuple[Value | None, ...]

_NEVER = float("-inf")
_EPOCH_SECONDS = 600
_QUEUED_AT_LEAST = 1000


class _AttributeSet:
    """All events that state the same attributes."""

    __slots__ = ("attributes", "latest")

    def __init__(self, attributes: tuple[Attribute, ...]) -> None:
        self.attributes = attributes
        # In a set of one attribute, the key None holds the latest time of all its events: an
        # unknown value may be any of theirs.
        self.latest: dict[_Key, int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.attributes)

    def restore(self, key: _Key, issued_before: int) -> RevocationEvent:
        """Return the event that a key and its time stand for."""
        values = key if isinstance(key, tuple) else (key,)
        stated = [
            (attribute.name, value)
            for attribute, value in zip(self.attributes, values, strict=True)
            if value is not None
        ]
        return RevocationEvent(tuple(stated), issued_before)

    def find_matching(self, values: tuple[Value | None, ...]) -> float:
        """Return the latest time of an event with these values, None standing for any.

        Takes time linear in the events of the set; use it only where a value is unknown.
        """
        # A copy, since another thread may add an event during the loop.
        times = [
            time
            for key, time in self.latest.copy().items()
            if isinstance(key, tuple)
            and all(ours is None or ours == its for ours, its in zip(values, key, strict=True))
        ]
        return max(times, default=_NEVER)


# An attribute set, the positions of its values in `RevocationFacts`, and `latest.get`.
_Single = tuple[_AttributeSet, int, Callable[[_Key, float], float]]
_Joint = tuple[_AttributeSet, tuple[int, ...], Callable[[_Key, float], float]]


class EventIndex:
    """The events of the last `retention_seconds`, `max_events` of them at most.

    One thread at a time may change it; any number may read it at the same time without a lock,
    because every change is one assignment to a dict, and `generation` changes only once all
    events of an `add` can be found; the listeners are called after that.

    An event is dropped once it is past retention, or when there are more than `max_events`.
    `complete_from` then moves past it: an event that covers a token issued earlier may be
    missing, while tokens issued later are judged as before.

    Attributes:
        generation: changes with every `add` that brought new events or moved `complete_from`.
        complete_from: epoch seconds; every event that can cover a token issued then or later is in
            the index. 0 while no event was dropped.
        overflow_until: as `complete_from`, for the events dropped because of `max_events`.
    """

    def __init__(self, *, max_events: int, retention_seconds: int) -> None:
        self.generation = 0
        self._listeners: tuple[Callable[[], None], ...] = ()
        self.complete_from = 0
        self.overflow_until = 0
        self._max_events = max_events
        self._retention_seconds = retention_seconds
        self._count = 0
        self._by_names: dict[tuple[str, ...], _AttributeSet] = {}
        # The same sets, those of one attribute and the others. The tuples are replaced, never
        # changed, so that a reader can iterate over them.
        self._single: tuple[_Single, ...] = ()
        self._joint: tuple[_Joint, ...] = ()
        # To find the oldest events: keys in order of arrival, by the epoch of `_kept_from`.
        self._epochs: dict[int, dict[_AttributeSet, deque[_Key]]] = {}
        # The number of keys in `_epochs`, including those that a later event has outdated.
        self._queued = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[RevocationEvent]:
        """All events. Not while another thread adds or drops some."""
        for group in self._by_names.values():
            for key, issued_before in group.latest.items():
                if key is not None:
                    yield group.restore(key, issued_before)

    def find_attributes(self, token: RevocationFacts) -> tuple[str, ...] | None:
        """Return the attribute set of an event that covers the token; None if none does."""
        issued_at = token.issued_at
        facts: tuple[Any, ...] = token
        for group, position, find in self._single:
            for value in facts[position]:
                if find(value, _NEVER) >= issued_at:
                    return group.names
        for group, positions, find in self._joint:
            for values in itertools.product(*[facts[position] for position in positions]):
                if find(values, _NEVER) >= issued_at or (
                    None in values and group.find_matching(values) >= issued_at
                ):
                    return group.names
        return None

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of `generation`, in the thread that changes it."""
        self._listeners += (listener,)

    def add(self, events: Iterable[RevocationEvent], now: float) -> list[RevocationEvent]:
        """Add events, drop those past retention, and return those that are new.

        Args:
            now: epoch seconds. When unsure, pass an earlier time: events are then only kept
                longer.
        """
        complete_from = self.complete_from
        self._drop_old(now)
        added = [event for event in events if self._put(event, now)]
        if added or self.complete_from != complete_from:
            self.generation += 1
            for listener in self._listeners:
                listener()
        return added

    def _put(self, event: RevocationEvent, now: float) -> bool:
        issued_before = event.issued_before
        if _kept_from(event.attributes, issued_before) < now - self._retention_seconds:
            self._note_dropped(issued_before)
            return False
        if issued_before < self.overflow_until:
            return False
        group = self._by_names.get(event.names) or self._make_set(event.names)
        values = tuple([value for _, value in event.attributes])
        key: _Key = values[0] if len(values) == 1 else values
        known = group.latest.get(key)
        if known is not None and known >= issued_before:
            return False
        epoch = _kept_from(event.attributes, issued_before) // _EPOCH_SECONDS
        self._epochs.setdefault(epoch, {}).setdefault(group, deque()).append(key)
        self._queued += 1
        group.latest[key] = issued_before
        if len(values) == 1:
            group.latest[None] = max(issued_before, group.latest.get(None, 0))
        if known is None:
            self._count += 1
            while self._count > self._max_events:
                self._drop_oldest()
        elif self._queued > 2 * self._count + _QUEUED_AT_LEAST:
            self._rebuild_queues()
        return True

    def _make_set(self, names: tuple[str, ...]) -> _AttributeSet:
        group = _AttributeSet(tuple(ATTRIBUTE_BY_NAME[name] for name in names))
        self._by_names[names] = group
        if len(names) == 1:
            single = (group, group.attributes[0].position, group.latest.get)
            self._single = (*self._single, single)
        else:
            positions = tuple([attribute.position for attribute in group.attributes])
            self._joint = (*self._joint, (group, positions, group.latest.get))
        return group

    def _note_dropped(self, issued_before: int) -> None:
        self.complete_from = max(self.complete_from, issued_before + 1)

    def _rebuild_queues(self) -> None:
        """Rebuild `_epochs` without the keys that later events have outdated."""
        self._epochs = {}
        events = [
            (issued_before, group, key)
            for group in self._by_names.values()
            for key, issued_before in group.latest.items()
            if key is not None
        ]
        for issued_before, group, key in sorted(events, key=lambda event: event[0]):
            attributes = group.restore(key, issued_before).attributes
            epoch = _kept_from(attributes, issued_before) // _EPOCH_SECONDS
            self._epochs.setdefault(epoch, {}).setdefault(group, deque()).append(key)
        self._queued = len(events)

    def _drop_old(self, now: float) -> None:
        oldest_kept = now - self._retention_seconds
        for epoch in [each for each in self._epochs if (each + 1) * _EPOCH_SECONDS <= oldest_kept]:
            for group, keys in self._epochs.pop(epoch).items():
                self._queued -= len(keys)
                for key in keys:
                    self._drop(epoch, group, key)

    def _drop_oldest(self) -> None:
        epoch = min(self._epochs)
        queues = self._epochs[epoch]
        # Each queue is in the order of the server's answers.
        group = min(queues, key=lambda group: group.latest.get(queues[group][0], _NEVER))
        self._queued -= 1
        issued_before = self._drop(epoch, group, queues[group].popleft())
        if not queues[group]:
            del queues[group]
        if not queues:
            del self._epochs[epoch]
        if issued_before is not None:
            self.overflow_until = max(self.overflow_until, issued_before + 1)

    def _drop(self, epoch: int, group: _AttributeSet, key: _Key) -> int | None:
        """Drop one event unless a later one replaced it; return its `issued_before`."""
        issued_before = group.latest.get(key)
        if issued_before is None:
            return None
        event = group.restore(key, issued_before)
        if _kept_from(event.attributes, issued_before) // _EPOCH_SECONDS != epoch:
            return None
        # Move complete_from first: no reader must miss the event and find the index complete.
        self._note_dropped(issued_before)
        del group.latest[key]
        self._count -= 1
        return issued_before


def _kept_from(attributes: tuple[tuple[str, Value], ...], issued_before: int) -> int:
    """Return the time from which an event's retention counts, epoch seconds.

    An `expires_at` of the event, the expiry of the tokens it covers, only prolongs retention:
    services may still use an expired token (`allow_expired`), and it must stay revoked.
    """
    for name, value in attributes:
        if name == "expires_at" and isinstance(value, int):
            return max(issued_before, value)
    return issued_before

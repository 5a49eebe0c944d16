"""The record that processes share: the latest poll, with events that other processes may lack.

It is rendered as JSON. A record with a member that is missing or mistyped is refused as a whole.
The store authenticates it (a seal, or the owner of a file).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from authmw.errors import MalformedRecord
from authmw.revocation.attributes import ATTRIBUTE_BY_NAME, Value
from authmw.revocation.events import RevocationEvent

# As many as fit into one entry of memcached.
MAX_EVENTS = 5000
_FORMAT = 3
_LATEST_SECONDS = 253_402_300_799  # in year 9999: the last second of a datetime


@dataclass(frozen=True, slots=True)
class SharedRecord:
    """The latest poll of any process, and events as the identity service lists them.

    Events that a process drops from its own index (`revocation_retention`,
    `revocation_max_events`) stay in the record: other processes may have other bounds.

    Attributes:
        tried_at: start of the latest poll, epoch seconds by the clock of its process.
        answered_at: start of the latest poll that was answered; 0: none was.
        since, until: the record holds every event that was made after `since` and listed at
            `until`, epoch seconds of the server. `since` 0: all events; `until` 0: no answer yet.
            Of two records the one with the later `until` is newer.
    """

    tried_at: float = 0.0
    answered_at: float = 0.0
    since: float = 0.0
    until: float = 0.0
    events: tuple[RevocationEvent, ...] = ()

    def add(self, events: Sequence[RevocationEvent], since: float, until: float) -> SharedRecord:
        """Return the record with every event that was made after `since` and listed at `until`.

        The new record begins at `since` where there is a gap before it, or where both together
        are more than MAX_EVENTS. Where `events` alone are more, it is empty and begins at `until`.
        """
        if since <= self.until:
            latest: dict[tuple[tuple[str, Value], ...], int] = {}
            for event in (*self.events, *events):
                known = latest.get(event.attributes, event.issued_before)
                latest[event.attributes] = max(known, event.issued_before)
            if len(latest) <= MAX_EVENTS:
                merged = tuple([RevocationEvent(*event) for event in latest.items()])
                return replace(self, since=min(since, self.since), until=until, events=merged)
        if len(events) <= MAX_EVENTS:
            return replace(self, since=since, until=until, events=tuple(events))
        return replace(self, since=until, until=until, events=())

    def render(self) -> bytes:
        """Return the record as JSON."""
        events = [[dict(event.attributes), event.issued_before] for event in self.events]
        members = {**asdict(replace(self, events=())), "format": _FORMAT, "events": events}
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, record: bytes) -> SharedRecord:
        """Parse what `render` returned; raises MalformedRecord."""
        try:
            document = json.loads(record)
        except (ValueError, RecursionError):
            raise MalformedRecord("the shared record is not JSON") from None
        match document:
            case {
                "format": 3,
                "tried_at": tried_at,
                "answered_at": answered_at,
                "since": since,
                "until": until,
                "events": list() as events,
            } if all(_is_time(time) for time in (tried_at, answered_at, since, until)):
                parsed = tuple([_parse_event(event) for event in events])
                return cls(tried_at, answered_at, since, until, parsed)
        raise MalformedRecord(f"the shared record is not of format {_FORMAT}")


def _is_time(value: object) -> bool:
    # math.isfinite() raises for an int of hundreds of digits.
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 <= value <= _LATEST_SECONDS
    )


def _parse_event(event: object) -> RevocationEvent:
    match event:
        case [dict() as attributes, int() as issued_before] if all(
            name in ATTRIBUTE_BY_NAME and type(value) in (str, int)
            for name, value in attributes.items()
        ):
            return RevocationEvent(tuple(attributes.items()), issued_before)
    raise MalformedRecord("an event of the shared record has a mistyped member")

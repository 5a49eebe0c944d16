"""The record that processes share: how the latest poll went, and the events that others may lack.

It travels as JSON and is believed only if every member has the shape it should have. Who may
have written it is the store's concern (a seal, or the owner of a file).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from authmw.errors import MalformedRecord
from authmw.revocation.attributes import ATTRIBUTE_BY_NAME, Value
from authmw.revocation.events import RevocationEvent

# So many fit into one entry of memcached.
MAX_EVENTS = 5000
_FORMAT = 3
_LATEST_SECONDS = 253_402_300_799  # in year 9999: what a datetime can say


@dataclass(frozen=True, slots=True)
class SharedRecord:
    """The latest poll of any process, and events as the identity service lists them.

    Events that its process drops from its own index (`revocation_retention`,
    `revocation_max_events`) stay in the record.

    Attributes:
        tried_at: when the poll began, by the clock of its process; epoch seconds.
        answered_at: when the latest poll that was answered began; 0: none was.
        since, until: the record holds every event made after `since` and listed at `until`, epoch
            seconds of the server; `since` 0: every event there is, `until` 0: no answer yet.
            `until` is the edition: of two records the one with the later `until` is newer.
    """

    tried_at: float = 0.0
    answered_at: float = 0.0
    since: float = 0.0
    until: float = 0.0
    events: tuple[RevocationEvent, ...] = ()

    def add(self, events: Sequence[RevocationEvent], since: float, until: float) -> SharedRecord:
        """Return the record with all events that were made after `since` and listed at `until`.

        Where that leaves a gap, or makes more than MAX_EVENTS, the new record begins at `since`;
        where these are too many by themselves, it is empty and begins at `until`.
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
        """Return the bytes to share."""
        events = [[dict(event.attributes), event.issued_before] for event in self.events]
        members = {**asdict(replace(self, events=())), "format": _FORMAT, "events": events}
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, record: bytes) -> SharedRecord:
        """Read shared bytes; raises MalformedRecord."""
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
    # Not isfinite(), which itself fails for a number of hundreds of digits.
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
    raise MalformedRecord("an event of the shared record is not its attributes and a time")

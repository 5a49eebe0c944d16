"""What the processes of a deployment share about revocation: one record, replaced by each poll.

It travels as JSON and is believed only if every member has the shape it should have. Who may
have written it is the store's concern (a seal, or the owner of a file).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from authmw.errors import MalformedRecord
from authmw.revocation.attributes import ATTRIBUTE_BY_NAME
from authmw.revocation.events import RevocationEvent

_FORMAT = 2
_LATEST_SECONDS = 253_402_300_799  # in year 9999: what a datetime can say


@dataclass(frozen=True, slots=True)
class SharedRecord:
    """The latest poll of any process, and the events made in the time before it.

    Attributes:
        since, until: the record holds every event made after `since` and listed at `until`,
            epoch seconds of the server; `since` 0: every event there is. Both are None until
            the server has answered once. Of two records the one with the later `until` is newer.
        tried_at: when the poll began, by the clock of its process; epoch seconds.
        answered_at: when the latest poll that was answered began; None: none was.
        is_forbidden: the answer was 403.
    """

    since: float | None
    until: float | None
    tried_at: float
    answered_at: float | None
    is_forbidden: bool
    events: tuple[RevocationEvent, ...]

    def render(self) -> bytes:
        """Return the bytes to share."""
        members = {
            "format": _FORMAT,
            "since": self.since,
            "until": self.until,
            "tried_at": self.tried_at,
            "answered_at": self.answered_at,
            "is_forbidden": self.is_forbidden,
            "events": [[dict(event.attributes), event.issued_before] for event in self.events],
        }
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, record: bytes) -> SharedRecord:
        """Read shared bytes; raises MalformedRecord."""
        try:
            members = json.loads(record)
        except (ValueError, RecursionError):
            raise MalformedRecord("not JSON") from None
        if not isinstance(members, dict) or members.get("format") != _FORMAT:
            raise MalformedRecord(f"not a record of format {_FORMAT}")
        tried_at, since, until = (_time(members, name) for name in ("tried_at", "since", "until"))
        if tried_at is None or (since is None) != (until is None):
            raise MalformedRecord("a time is missing")
        return cls(
            since,
            until,
            tried_at,
            _time(members, "answered_at"),
            members.get("is_forbidden") is True,
            tuple(_parse_events(members.get("events"))),
        )


def _time(members: dict[str, object], name: str) -> float | None:
    value = members.get(name)
    # Not isfinite(), which itself fails for a number of hundreds of digits.
    if value is None or (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 <= value <= _LATEST_SECONDS
    ):
        return value
    raise MalformedRecord(f"{name!r} is not a time")


def _parse_events(events: object) -> Iterator[RevocationEvent]:
    if not isinstance(events, list):
        raise MalformedRecord("'events' is not an array")
    for event in events:
        match event:
            case [dict() as attributes, int() as issued_before] if all(
                name in ATTRIBUTE_BY_NAME and type(value) in (str, int)
                for name, value in attributes.items()
            ):
                yield RevocationEvent(tuple(attributes.items()), issued_before)
            case _:
                raise MalformedRecord("an event is not its attributes and a time")

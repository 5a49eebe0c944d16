"""What processes tell each other about revocation: a bulletin of events, a short notice.

Times named `covers_…` are the identity server's and speak of when events were made; the
others are ours. Both records travel as JSON and are believed only if every member has the
shape it should have; who may have written them is the store's affair (seal, file owner).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from authmw.revocation.attributes import ATTRIBUTE_BY_NAME
from authmw.revocation.events import RevocationEvent

_FORMAT = 1
_LATEST_SECONDS = 253_402_300_799  # in year 9999: what a datetime can say


class MalformedRecord(ValueError):
    """A shared record is not of the shape we write; says where."""


@dataclass(frozen=True, slots=True)
class Bulletin:
    """All events the server made after one time and knew at another.

    Attributes:
        edition: changes with the content.
        covers_from, covers_to: these times, epoch seconds; from 0 means all there are.
        complement: edition of the full bulletin that has what is older; None: nothing is.
        forgotten_before: as of `EventIndex`.
    """

    edition: str
    covers_from: float
    covers_to: float
    complement: str | None
    forgotten_before: int | None
    events: tuple[RevocationEvent, ...]

    def render(self) -> bytes:
        """Return the record to share."""
        return _render(
            edition=self.edition,
            covers_from=self.covers_from,
            covers_to=self.covers_to,
            complement=self.complement,
            forgotten_before=self.forgotten_before,
            events=[[dict(event.attributes), event.issued_before] for event in self.events],
        )

    @classmethod
    def parse(cls, record: bytes) -> Bulletin:
        """Read a shared record; raises MalformedRecord."""
        members = _parse(record)
        return cls(
            _string(members, "edition"),
            _time(members, "covers_from"),
            _time(members, "covers_to"),
            None if members.get("complement") is None else _string(members, "complement"),
            _seconds(members, "forgotten_before"),
            tuple(_parse_events(members.get("events"))),
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """How far the polls of all processes have come.

    Attributes:
        edition: of the bulletin in force; "" while there is none.
        covers_to: up to when that bulletin is complete by now: an answer without news moves
            this on and leaves the bulletin alone.
        tried_at: when somebody last began to ask; epoch seconds.
        answered_at: when somebody last began to ask and got an answer; None: never yet.
        is_forbidden: the last answer was 403.
    """

    edition: str
    covers_to: float | None
    tried_at: float
    answered_at: float | None
    is_forbidden: bool

    def render(self) -> bytes:
        """Return the record to share."""
        return _render(
            edition=self.edition,
            covers_to=self.covers_to,
            tried_at=self.tried_at,
            answered_at=self.answered_at,
            is_forbidden=self.is_forbidden,
        )

    @classmethod
    def parse(cls, record: bytes) -> Notice:
        """Read a shared record; raises MalformedRecord."""
        members = _parse(record)
        return cls(
            _string(members, "edition"),
            None if members.get("covers_to") is None else _time(members, "covers_to"),
            _time(members, "tried_at"),
            None if members.get("answered_at") is None else _time(members, "answered_at"),
            members.get("is_forbidden") is True,
        )


def _render(**members: object) -> bytes:
    return json.dumps({"format": _FORMAT, **members}, separators=(",", ":")).encode()


def _parse(record: bytes) -> dict[str, object]:
    try:
        members = json.loads(record)
    except (ValueError, RecursionError):
        raise MalformedRecord("not JSON") from None
    if not isinstance(members, dict) or members.get("format") != _FORMAT:
        raise MalformedRecord(f"not a record of format {_FORMAT}")
    return members


def _string(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise MalformedRecord(f"{name!r} is not a string")
    return value


def _time(members: dict[str, object], name: str) -> float:
    value = members.get(name)
    # Not isfinite(), which itself fails for a number of hundreds of digits.
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value <= _LATEST_SECONDS
    ):
        raise MalformedRecord(f"{name!r} is not a time")
    return value


def _seconds(members: dict[str, object], name: str) -> int | None:
    return None if members.get(name) is None else int(_time(members, name))


def _parse_events(events: object) -> Iterable[RevocationEvent]:
    if not isinstance(events, list):
        raise MalformedRecord("'events' is not an array")
    for event in events:
        match event:
            case [dict() as attributes, int() as issued_before] if all(
                name in ATTRIBUTE_BY_NAME and _is_value(value) for name, value in attributes.items()
            ):
                yield RevocationEvent(tuple(attributes.items()), issued_before)
            case _:
                raise MalformedRecord("an event is not its attributes and a time")


def _is_value(value: object) -> bool:
    return type(value) is str or type(value) is int

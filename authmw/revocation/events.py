"""Revocation events, parsed from the answer to GET /v3/OS-REVOKE/events.

What can't be parsed makes an event cover more, never less:

- An unknown attribute, or one whose value is malformed, is ignored.
- An event without (remaining) attributes covers every token issued before it.
- Where `issued_before` is malformed, `revoked_at` replaces it (Keystone writes the same time in
  both); where that is malformed too, the time of the answer does: the event then covers the
  tokens issued until we read it.

An answer that is not a complete list of events is refused: a token that it does not cover may
still be revoked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from authmw.errors import MalformedEvents
from authmw.revocation.attributes import ATTRIBUTE_BY_NAME, ATTRIBUTES, Value, parse_seconds

# Members of an event that are no attributes of the tokens it covers.
_TIMES = frozenset({"issued_before", "revoked_at"})


@dataclass(frozen=True, slots=True)
class RevocationEvent:
    """Revokes the tokens that meet all its attributes and were issued in time.

    Attributes:
        attributes: names and values, in the order of the rule table.
        issued_before: epoch seconds, truncated; a token issued in that second is covered.
        ignored: members that could not be parsed, for the log.
    """

    attributes: tuple[tuple[str, Value], ...]
    issued_before: int
    ignored: tuple[str, ...] = field(default=(), compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its attributes: its attribute set."""
        return tuple([name for name, _ in self.attributes])


def parse_events(document: object, answered_at: int) -> list[RevocationEvent]:
    """Parse the JSON document of an answer.

    Args:
        document: {"events": [...], "links": {...}}.
        answered_at: the server's time, epoch seconds.

    Raises:
        MalformedEvents: it is not a complete list of events.
    """
    if not isinstance(document, dict):
        raise MalformedEvents(f"an object was expected, not {type(document).__name__}")
    events = document.get("events")
    if not isinstance(events, list):
        raise MalformedEvents(f"'events' is not an array but {type(events).__name__}")
    links = document.get("links")
    if isinstance(links, dict) and links.get("next") is not None:
        # Keystone never pages this list. If a server does, we must not miss the next page.
        raise MalformedEvents("'links' names a next page: the list is not complete")
    return [parse_event(event, answered_at) for event in events]


def parse_event(event: object, answered_at: int) -> RevocationEvent:
    """Parse one event.

    Args:
        event: a member of "events".
        answered_at: the server's time, epoch seconds.

    Raises:
        MalformedEvents: it is no JSON object.
    """
    if not isinstance(event, dict):
        raise MalformedEvents(f"an event is not an object but {type(event).__name__}")
    stated: list[tuple[str, Value]] = []
    ignored: list[str] = []
    for attribute in ATTRIBUTES:
        member = event.get(attribute.name)
        if member is None:
            continue
        value = attribute.parse(member)
        if value is None:
            ignored.append(attribute.name)
        else:
            stated.append((attribute.name, value))
    for name in event:
        if name not in ATTRIBUTE_BY_NAME and name not in _TIMES:
            ignored.append(str(name))

    issued_before = parse_seconds(event.get("issued_before"))
    if issued_before is None:
        ignored.append("issued_before")
        issued_before = parse_seconds(event.get("revoked_at"))
    if issued_before is None:
        issued_before = answered_at
    return RevocationEvent(tuple(stated), issued_before, tuple(ignored))

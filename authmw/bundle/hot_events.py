"""The revocation events and the confirmation of a hot file, as a process holds them."""

from __future__ import annotations

import json
from pathlib import Path

from authmw.bundle.file import Confirmation, read_hot
from authmw.errors import BundleUnreadable, MalformedEvents
from authmw.revocation.events import RevocationEvent, parse_event
from authmw.revocation.index import EventIndex

# The file holds what its source has kept; none of it is dropped here for its age.
KEPT_FOR_EVER = 1 << 40


class HotEvents:
    """What one hot file says. A new one comes every few seconds, and most of its events are known.

    Args:
        path: of the file.
        max_events: most revocation events to keep (`revocation_max_events`).
        before: what was in force until now, whose index this one goes on with; None: nothing.

    Attributes:
        number: the revision of the events.
        read_at: epoch seconds: the time that the events are of.
        polled_at: epoch seconds at which they were read; None: it has none.
        complete_from: epoch seconds: it has each event that can cover a token issued then or later.
        events: the revocation events.
        confirmation: None: it confirms nothing.
        brings_news: whether a token may be judged otherwise than by the one before.

    Raises:
        BundleUnreadable: there is none, or none that can be used.
    """

    def __init__(self, path: str, max_events: int, before: HotEvents | None = None) -> None:
        file = read_hot(Path(path))
        origin = file.header.origin
        self.number = origin.revision
        self.read_at = origin.read_at
        self.polled_at = origin.revocation_polled_at
        self.confirmation: Confirmation | None = file.confirmation
        known = {} if before is None else before._parsed
        try:
            self._parsed: dict[str, RevocationEvent] = {
                text: known.get(text) or parse_event(json.loads(text), origin.read_at)
                for text in file.events
            }
        except (ArithmeticError, MalformedEvents, RecursionError, TypeError, ValueError) as error:
            raise BundleUnreadable(f"its revocation events can't be read: {error}") from error
        new = file.events - known.keys()
        if before is None or len(known) + len(new) > len(file.events):
            # Some went, and an index forgets none.
            self.events = EventIndex(max_events=max_events, retention_seconds=KEPT_FOR_EVER)
            self.events.add(self._parsed.values(), origin.read_at)
        else:
            self.events = before.events
            self.events.add([self._parsed[text] for text in new], origin.read_at)
        self.complete_from = max(origin.events_complete_from, self.events.complete_from)
        self.brings_news = before is None or bool(new) or self.complete_from > before.complete_from

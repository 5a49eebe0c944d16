"""The events that other processes may not know yet: kept small, so that they follow cheaply.

While there are few events the window holds them all. Once there are more than
`MAX_EVENTS`, they move to a full bulletin, and the window starts anew; who follows closely
reads nothing but the window.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from authmw.revocation.attributes import Value
from authmw.revocation.bulletin import Bulletin
from authmw.revocation.events import RevocationEvent
from authmw.revocation.index import EventIndex

MAX_EVENTS = 2000


class Window:
    """What this process would publish. Not thread-safe: `RevocationFeed` guards it.

    Attributes:
        edition: changes with the content; "" while nothing was recorded.
    """

    def __init__(self, index: EventIndex) -> None:
        self.edition = ""
        self._index = index
        self._events: dict[tuple[tuple[str, Value], ...], RevocationEvent] = {}
        self._covers_from = float("inf")
        self._complement: str | None = None
        self._is_full_due = False

    def record(
        self, events: Iterable[RevocationEvent], covers_from: float, covers_to: float
    ) -> None:
        """Add an answer of the server, after the index took it in.

        Args:
            events: all of the answer, also those we knew: others may not.
            covers_from: the answer has every event made after this; 0: every one there is.
            covers_to: the server's time of the answer.
        """
        is_changed = not self.edition or covers_from < self._covers_from
        # Of several events about the same tokens the last one counts.
        answer = {
            event.attributes: event
            for event in sorted(events, key=lambda event: event.issued_before)
        }
        for attributes, event in answer.items():
            known = self._events.get(attributes)
            if known is None or known.issued_before < event.issued_before:
                self._events[attributes] = event
                is_changed = True
        self._covers_from = min(covers_from, self._covers_from)
        if is_changed:
            self.edition = secrets.token_hex(8)
        # Twice the answer: what a busy server repeats at every poll is no reason to start anew.
        if len(self._events) > MAX_EVENTS + (2 * len(answer) if covers_from else 0):
            self._events = answer if covers_from else {}
            self._covers_from = covers_from or covers_to
            self.require_full()

    def adopt(self, bulletin: Bulletin) -> None:
        """Go on from what another process published, after the index took it in."""
        self.edition = bulletin.edition
        self._events = {event.attributes: event for event in bulletin.events}
        self._covers_from = bulletin.covers_from
        self._complement = bulletin.complement
        self._is_full_due = False

    def require_full(self) -> None:
        """Have what is older than the window published again, if there is such."""
        if self._covers_from > 0:
            self._complement = secrets.token_hex(8)
            self.edition = secrets.token_hex(8)
            self._is_full_due = True

    def take_full(self, covers_to: float) -> Bulletin | None:
        """Return a full bulletin that has to be published before the window, if one has."""
        if not self._is_full_due or self._complement is None:
            return None
        self._is_full_due = False
        events = tuple(self._index)
        return Bulletin(
            self._complement, 0.0, covers_to, None, self._index.forgotten_before, events
        )

    def make_bulletin(self, covers_to: float) -> Bulletin:
        """Return what to publish."""
        return Bulletin(
            self.edition,
            self._covers_from,
            covers_to,
            self._complement,
            self._index.forgotten_before,
            tuple(self._events.values()),
        )

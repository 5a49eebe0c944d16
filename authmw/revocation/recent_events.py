"""The events that a process hands on to the others: all that were made since some time.

They are kept as the identity service lists them. What a process drops from its own index, by
`revocation_retention` or `revocation_max_events`, is missing for nobody else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from authmw.revocation.attributes import Value
from authmw.revocation.events import RevocationEvent

# So many fit into one entry of memcached.
MAX_EVENTS = 5000

_Attributes = tuple[tuple[str, Value], ...]


class RecentEvents:
    """All events made after `since`; the oldest leave, and `since` moves on.

    Not thread-safe: `RevocationFeed` guards it.

    Attributes:
        since: server time, epoch seconds; 0: every event there is; None: nothing was added yet.
    """

    def __init__(self) -> None:
        self.since: float | None = None
        self._until = 0.0
        # Whole answers, each with its own `since`.
        self._answers: deque[tuple[float, tuple[RevocationEvent, ...]]] = deque()
        self._latest: dict[_Attributes, int] = {}

    def __iter__(self) -> Iterator[RevocationEvent]:
        for attributes, issued_before in self._latest.items():
            yield RevocationEvent(attributes, issued_before)

    def add(self, events: Sequence[RevocationEvent], since: float, until: float) -> None:
        """Add all events that were made after `since` and listed at `until`, server times."""
        if self.since is None or since <= self.since or since > self._until:
            # It holds all that was here, or leaves a gap behind it.
            self.since = since
            self._answers.clear()
            self._latest.clear()
        self._until = until
        self.since = min(since, self.since)
        if not self._include(events):
            return
        self._answers.append((since, tuple(events)))
        while len(self._latest) > MAX_EVENTS:
            self._answers.popleft()
            self.since = self._answers[0][0] if self._answers else until
            self._latest.clear()
            for _, answer in self._answers:
                self._include(answer)

    def _include(self, events: Sequence[RevocationEvent]) -> bool:
        """Return whether one of them is new."""
        is_news = False
        for event in events:
            known = self._latest.get(event.attributes)
            if known is None or known < event.issued_before:
                self._latest[event.attributes] = event.issued_before
                is_news = True
        return is_news

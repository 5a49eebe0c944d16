"""The interface of revocation for validation, with its implementation without events."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

from authmw.revocation.facts import RevocationFacts


class Revocations(Protocol):
    """Compares tokens with revocation events."""

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of the events that may change a verdict."""

    @property
    def complete_from(self) -> int:
        """Epoch seconds from which every event is known; 0 while none was dropped."""

    def verify_not_revoked(self, facts: RevocationFacts) -> None:
        """Raise InvalidToken (revoked) if an event covers a token with these fields."""

    def verify_events_complete(self, issued_at: int, now: float) -> None:
        """Raise IdentityUnavailable if events are missing that might cover a token issued then."""

    def fresh_until(self, now: float) -> int:
        """Return the time, epoch seconds, from which the known events are too old."""


class NoRevocations:
    """For a filter that polls no events: no token is known to be revoked."""

    complete_from = 0

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Do nothing: no verdict changes."""

    def verify_not_revoked(self, facts: RevocationFacts) -> None:
        """Accept every token."""

    def verify_events_complete(self, issued_at: int, now: float) -> None:
        """Accept every token."""

    def fresh_until(self, now: float) -> int:  # noqa: ARG002
        """Return a time that never comes."""
        return sys.maxsize

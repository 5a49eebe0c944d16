"""What validation asks about revocation, and the answer of a filter that polls no events."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

from authmw.revocation.facts import RevocationFacts
from authmw.token import Token


class Revocations(Protocol):
    """Knows which tokens were revoked."""

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a verdict could be another one than before."""

    @property
    def complete_from(self) -> int:
        """Epoch seconds from which every event is known; 0 while none was dropped."""

    def verify_not_revoked(self, facts: RevocationFacts) -> None:
        """Raise InvalidToken (revoked) if an event covers a token with these fields."""

    def verify_decidable(self, token: Token, now: float) -> None:
        """Raise IdentityUnavailable if events are missing that might cover the token."""

    def decidable_until(self, now: float) -> int:
        """Return up to when, in epoch seconds, what is known is recent enough to go by."""


class NoRevocations:
    """Nothing is known of revocation, and nobody waits for it."""

    complete_from = 0

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Do nothing: no verdict changes."""

    def verify_not_revoked(self, facts: RevocationFacts) -> None:
        """Accept every token."""

    def verify_decidable(self, token: Token, now: float) -> None:
        """Accept every token."""

    def decidable_until(self, now: float) -> int:  # noqa: ARG002
        """Return a time that never comes."""
        return sys.maxsize

"""Revocation that comes at the worst moment: while a token is being validated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from authmw.answers.negative_cache import NegativeCache
from authmw.cache.memory import MemoryCache
from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import InvalidToken, Reason
from authmw.resolver import Resolver
from authmw.revalidation import Revalidation
from authmw.revocation.facts import RevocationFacts
from authmw.revocation.feed import RevocationFeed
from authmw.runtime.flights import Flights
from authmw.token import Token
from tests.support.clock import Clock
from tests.support.revocation_site import EventServer, make_feed
from tests.support.revocation_tokens import token_of
from tests.support.token_bodies import EXPIRES_AT, ISSUED_AT


class Late:
    """A feed that hears of a revocation right after it was asked."""

    def __init__(self, feed: RevocationFeed, hear: Callable[[], None]) -> None:
        self._feed = feed
        self._hear = hear
        self.is_armed = False

    def add_listener(self, listener: Callable[[], None]) -> None:
        self._feed.add_listener(listener)

    @property
    def complete_from(self) -> int:
        return self._feed.complete_from

    def verify_not_revoked(self, facts: RevocationFacts) -> None:
        self._feed.verify_not_revoked(facts)
        if self.is_armed:
            self._hear()

    def verify_events_complete(self, issued_at: int, now: float) -> None:
        self._feed.verify_events_complete(issued_at, now)

    def fresh_until(self, now: float) -> int:
        return self._feed.fresh_until(now)


class Race:
    """A resolver whose only token may be revoked at any moment."""

    def __init__(self, *, during: bool, after: bool) -> None:
        self.clock = Clock(float(ISSUED_AT))
        self.server = EventServer(self.clock)
        self.feed = make_feed(self.server)
        self.feed.poll(self.clock.now)
        late = Late(self.feed, self.revoke)
        late.is_armed = after
        self._is_revoked_during = during
        self.validations = 0
        self.memory: MemoryCache[Token] = MemoryCache(max_entries=10, max_bytes=10**6)
        self.resolver = Resolver(
            memory=self.memory,
            flights=Flights(10),
            validator=self,
            refusals=NegativeCache(0),
            revalidation=Revalidation(late),
            max_token_size=8000,
            clock=self.clock,
        )

    def revoke(self) -> None:
        self.server.revoke(audit_id="audit-1")
        self.clock.advance(20)
        self.feed.poll(self.clock.now)

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        self.validations += 1
        validated = dataclasses.replace(token_of(), fresh_until=EXPIRES_AT)
        if self._is_revoked_during:
            self.revoke()
        return validated

    def ask(self) -> Token:
        now = self.clock.now
        return self.resolver.find_fresh("t", now) or self.resolver.resolve(
            "t", ExpiryPolicy.REFUSE_EXPIRED, now
        )


def test_event_between_the_answer_and_the_check_refuses_at_once() -> None:
    race = Race(during=True, after=False)
    with pytest.raises(InvalidToken) as refused:
        race.ask()
    assert (refused.value.reason, len(race.memory)) == (Reason.REVOKED, 0)


def test_event_between_the_check_and_the_memory_refuses_the_next_request() -> None:
    race = Race(during=False, after=True)
    race.ask()
    with pytest.raises(InvalidToken) as refused:
        race.ask()
    assert (refused.value.reason, race.validations) == (Reason.REVOKED, 1)

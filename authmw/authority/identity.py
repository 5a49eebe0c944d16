"""Authority from the identity endpoint, asked once per authority key, not once per token."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable
from typing import Protocol

from authmw.authority import Answer, Question
from authmw.authority.agreement import verify_agreement
from authmw.cache.memory import MemoryCache
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.flights import Flights
from authmw.identity.answer import TokenAnswer
from authmw.process import PerProcess
from authmw.token import MalformedBody, Principal

# An answer in use is renewed in the background in this last part of its time.
_RENEW_IN_LAST_PART = 0.25
# Renewals that wait at most; beyond it an answer is renewed by a request when it ends.
_MAX_WAITING = 1000
# How long one round of renewals takes at most, should a request have to do it.
_ROUND_SECONDS = 1.0


class Ask(Protocol):
    """Asks the identity endpoint, or a cache in front of it."""

    def __call__(self, question: Question, now: float, *, newer_than: int) -> TokenAnswer:
        """Return the endpoint's answer to a question.

        Args:
            question: what is asked about.
            now: epoch seconds.
            newer_than: epoch seconds; a remembered answer given at this time or before is
                known already, and is not what is asked for.

        Raises:
            InvalidToken: the endpoint refused the question's token.
            IdentityUnavailable: nobody could say.
        """


class IdentityAuthority:
    """Asks the identity endpoint to validate one token, and believes it for all like it.

    Concurrent questions with one key cause one call; its success is shared, while after a
    refusal each asks with its own token, as a revoked token says nothing about others.

    It is `Refreshable`: an answer that is in use is asked for again before it ends.

    Args:
        ask: asks the endpoint, or a cache in front of it.
        answers: remembers them.
        fresh_seconds: how long an answer holds (`authority_cache_time`).
        grace_seconds: how much longer it may be used while the endpoint can't answer.
        deadline_seconds: how long one call may take.
        wake: called when a renewal is wanted, so that `reload` is called before long.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        answers: MemoryCache[Answer],
        fresh_seconds: int,
        grace_seconds: int,
        deadline_seconds: float,
        wake: Callable[[IdentityAuthority], None],
    ) -> None:
        self._ask = ask
        self._answers = answers
        self._fresh_seconds = fresh_seconds
        self._grace_seconds = grace_seconds
        self._renew_ahead_seconds = max(1, int(fresh_seconds * _RENEW_IN_LAST_PART))
        self._flights: Flights[Answer] = Flights(deadline_seconds, share_refusals=False)
        self._renewals = PerProcess(_Renewals)
        self._wake = wake

    def recall(self, key: str) -> Answer | None:
        """Return what memory holds; see `Authority`."""
        return self._answers.recall(key)

    def look_up(self, question: Question, now: float) -> Answer:
        """Answer from memory, else ask; see `Authority`."""
        known = self.recall(question.key)
        if known is not None and now < known.fresh_until:
            return known
        try:
            return self._flights.run(question.key, lambda: self._renew(question, known, now))
        except IdentityUnavailable:
            known = self.recall(question.key)
            if known is not None and now < known.usable_until:
                return known
            raise

    def _want_renewal(self, question: Question, known: Answer, now: float) -> None:
        if self._renewals.get().want(question, known, now):
            self._wake(self)

    @property
    def reload_at(self) -> float:
        """See `Refreshable`: the time since which a renewal is wanted."""
        return self._renewals.get().wanted_since

    def reload(self, now: float) -> None:
        """Renew what is wanted, one call each; what is not done in a second stays wanted."""
        renewals = self._renewals.get()
        give_up_at = time.monotonic() + _ROUND_SECONDS
        while time.monotonic() < give_up_at and (wanted := renewals.take_one()) is not None:
            question, known = wanted
            try:
                # A refused token's answer is gone; the next request asks with its own.
                with contextlib.suppress(InvalidToken):
                    self._flights.run(
                        question.key, functools.partial(self._renew, question, known, now)
                    )
            except IdentityUnavailable:
                # The answers end in their own time; those in use will be wanted again.
                renewals.clear()

    def _renew(self, question: Question, known: Answer | None, now: float) -> Answer:
        entry = self._answers.get(question.key)
        known_until = 0 if known is None else known.fresh_until
        if entry is not None and entry.value.fresh_until > known_until:
            return entry.value  # another flight was quicker
        try:
            told = self._ask(question, now, newer_than=known_until - self._fresh_seconds)
        except InvalidToken:
            # It may be the bearer who is refused: what was said of him before must not come
            # back in an outage. If it is this token alone, asking once more is all it costs.
            self._answers.discard(question.key)
            raise
        try:
            principal = Principal.from_body(told.body, told.catalog)
        except MalformedBody as error:
            raise IdentityUnavailable(
                f"the identity endpoint sent a token body that can't be read: {error}"
            ) from error
        verify_agreement(principal, question.keystone)
        fresh_until = told.answered_at + self._fresh_seconds
        answer = Answer(
            principal,
            question.keystone,
            renew_from=fresh_until - self._renew_ahead_seconds,
            fresh_until=fresh_until,
            usable_until=fresh_until + self._grace_seconds,
            renew=self._want_renewal,
        )
        self._answers.put(question.key, answer)
        return answer


class _Renewals:
    """The questions to be asked again, of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[Question, Answer]] = {}
        self.wanted_since = float("inf")

    def want(self, question: Question, known: Answer, now: float) -> bool:
        """Note that an answer is to be renewed; False if that is noted already."""
        if question.key in self._wanted or len(self._wanted) >= _MAX_WAITING:
            return False
        with self._lock:
            self._wanted[question.key] = (question, known)
            self.wanted_since = min(self.wanted_since, now)
        return True

    def take_one(self) -> tuple[Question, Answer] | None:
        """Return what has waited longest, or None."""
        with self._lock:
            key = next(iter(self._wanted), None)
            taken = None if key is None else self._wanted.pop(key)
            if not self._wanted:
                self.wanted_since = float("inf")
        return taken

    def clear(self) -> None:
        with self._lock:
            self._wanted.clear()
            self.wanted_since = float("inf")

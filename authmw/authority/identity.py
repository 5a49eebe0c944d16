"""Authority from the identity endpoint, asked once for each bearer, not once for each token."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from authmw.answers.read_through import ask_anew
from authmw.answers.refused import RefusedAt
from authmw.answers.source import AnswerSource
from authmw.authority import Answer
from authmw.authority.rate import RenewalRate
from authmw.cache.keys import digest_token
from authmw.cache.memory import MemoryCache
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.identity.token_response import TokenResponse
from authmw.runtime.flights import Flights
from authmw.runtime.process import PerProcess
from authmw.token import Principal

# An answer in use is renewed in the background in this last part of its time.
_RENEW_IN_LAST_PART = 0.25
# Renewals that wait at most; beyond it an answer is renewed by a request when it ends.
_MAX_WAITING = 1000
# How long one round of renewals takes at most, should a request have to do it.
_ROUND_SECONDS = 1.0


class BearerQuestion(Protocol):
    """Asks about the bearer of a token that is good.

    Attributes:
        key: the same for all tokens of the bearer, and for no others.
        token: the token string that is shown to the endpoint.
        methods, thumbprint: as of `Answer`.
        is_rationed: whether the question may be put off (`authority_renewal_rate`).
    """

    @property
    def key(self) -> str: ...

    @property
    def token(self) -> str: ...

    @property
    def methods(self) -> tuple[str, ...]: ...

    @property
    def thumbprint(self) -> str | None: ...

    @property
    def is_rationed(self) -> bool: ...

    @property
    def note_refusal(self) -> Callable[[], None]:
        """Called when the endpoint refuses the token."""

    def verify_answer(self, principal: Principal, body: Mapping[str, object]) -> None:
        """Raise IdentityUnavailable if an answer is about another bearer."""


class IdentityAuthority:
    """Asks the identity endpoint to validate one token, and believes it for all like it.

    Concurrent questions with one key cause one call; its success is shared, while after a
    refusal each asks with its own token, as a revoked token says nothing about others.

    It is `Refreshable`: an answer that is in use is asked for again before it ends.

    Args:
        source: the endpoint, or a cache in front of it.
        answers: remembers them.
        fresh_seconds: how long an answer holds (`authority_cache_time`).
        grace_seconds: how much longer it may be used while the endpoint can't answer.
        deadline_seconds: how long one call may take.
        rate: how many rationed questions may be asked.
        wake: called when a renewal is wanted, so that `reload` is called before long.
    """

    def __init__(
        self,
        source: AnswerSource[Answer],
        *,
        answers: MemoryCache[Answer],
        fresh_seconds: int,
        grace_seconds: int,
        deadline_seconds: float,
        rate: RenewalRate,
        wake: Callable[[IdentityAuthority], None],
    ) -> None:
        self._source = source
        self._answers = answers
        self._fresh_seconds = fresh_seconds
        self._usable_seconds = fresh_seconds + grace_seconds
        self._renew_ahead_seconds = max(1, int(fresh_seconds * _RENEW_IN_LAST_PART))
        # A call, and the wait for another request's call before it.
        self._longest_round_seconds = _ROUND_SECONDS + 2 * deadline_seconds
        self._flights: Flights[Answer] = Flights(deadline_seconds, share_refusals=False)
        self._refused_at = RefusedAt(self._usable_seconds)
        self._renewals = PerProcess(_Renewals)
        self._rate = rate
        self._wake = wake

    def recall(self, key: str) -> Answer | None:
        """Return what memory holds; see `Authority`."""
        return self._answers.recall(key)

    def refused_at(self, key: str) -> int:
        """Return when the endpoint last refused a token of this bearer; -1 if it did not."""
        return self._refused_at.find(key)

    def learn(self, question: BearerQuestion, principal: Principal, answered_at: int) -> Answer:
        """Remember what the endpoint said of a bearer when it was asked about a token.

        Returns the newest answer about the bearer.
        """
        known = self.recall(question.key)
        if known is not None and known.answered_at >= answered_at:
            return known
        answer = self._make_answer(question, principal, answered_at)
        self._answers.put(question.key, answer)
        return answer

    def look_up(self, question: BearerQuestion, now: float) -> Answer:
        """Answer from memory, else ask; see `Authority`."""
        known = self.recall(question.key)
        if known is not None and now < known.fresh_until:
            return known
        return self._flights.run(question.key, lambda: self._renew(question, known, now))

    def may_ask(self, question: BearerQuestion, now: float) -> bool:
        """Tell whether one more question may be asked now."""
        return not question.is_rationed or self._rate.take(now)

    def _want_renewal(self, question: BearerQuestion, known: Answer, now: float) -> None:
        if self._renewals.get().want(question, known, now):
            self._wake(self)

    @property
    def reload_at(self) -> float:
        """See `Refreshable`: the time since which a renewal is wanted.

        While renewals are under way it is when they should be done at the latest: the endpoint
        may be slow, and no request is to wait for what others may need.
        """
        return self._renewals.get().wanted_since

    def reload(self, now: float) -> None:
        """Renew what is wanted, one call each; what is not done in a second stays wanted."""
        renewals = self._renewals.get()
        began_at = time.monotonic()
        renewals.begin(now + self._longest_round_seconds)
        try:
            self._renew_wanted(renewals, now)
        finally:
            renewals.end(now + time.monotonic() - began_at)

    def _renew_wanted(self, renewals: _Renewals, now: float) -> None:
        give_up_at = time.monotonic() + _ROUND_SECONDS
        while time.monotonic() < give_up_at and (wanted := renewals.take_one()) is not None:
            question, known = wanted
            if not self.may_ask(question, now):
                # Whoever uses it will want it again.
                continue
            try:
                answer = self._flights.run(
                    question.key, functools.partial(self._renew, question, known, now)
                )
            except InvalidToken:
                continue  # the answer is gone; the next request asks with its own token
            except IdentityUnavailable:
                answer = known
            if answer.answered_at <= known.answered_at:
                # Nobody answers. What is known ends in its own time; what is in use will be
                # wanted again.
                renewals.clear()

    def _renew(self, question: BearerQuestion, known: Answer | None, now: float) -> Answer:
        known_at = -1 if known is None else known.answered_at
        current = self._answers.recall(question.key)
        if current is not None and current.answered_at > known_at and now < current.fresh_until:
            return current  # another flight was quicker
        newer_than = max(known_at, self._refused_at.find(question.key))
        subject = _BearerSubject(question, self._make_answer)
        try:
            return ask_anew(
                _Remembered(self._answers, self._refused_at, question.key, now),
                lambda: self._source.fetch(subject, now, newer_than=newer_than),
                now,
            )
        except InvalidToken:
            question.note_refusal()
            raise

    def _make_answer(
        self, question: BearerQuestion, principal: Principal, answered_at: int
    ) -> Answer:
        fresh_until = answered_at + self._fresh_seconds
        return Answer(
            principal,
            question.methods,
            question.thumbprint,
            answered_at,
            renew_from=fresh_until - self._renew_ahead_seconds,
            fresh_until=fresh_until,
            usable_until=answered_at + self._usable_seconds,
            renew=self._want_renewal,
        )


class _Remembered:
    """One bearer's answer in memory; see `authmw.answers.read_through.Remembered`."""

    def __init__(
        self,
        answers: MemoryCache[Answer],
        refused_at: RefusedAt,
        key: str,
        now: float,
    ) -> None:
        self._answers = answers
        self._refused_at = refused_at
        self._key = key
        self._now = now

    def recall(self) -> Answer | None:
        return self._answers.recall(self._key)

    def keep(self, answer: Answer) -> None:
        self._answers.put(self._key, answer)

    def forget(self) -> None:
        # It may be the bearer who is refused: what was said of him before must not come back
        # in an outage. If it is this token alone, asking once more is all it costs.
        self._refused_at.note(self._key, self._now)
        self._answers.discard(self._key)


class _BearerSubject:
    """One bearer; see `authmw.answers.source.Subject`."""

    kind = "bearer"
    allow_expired = False

    def __init__(
        self,
        question: BearerQuestion,
        make_answer: Callable[[BearerQuestion, Principal, int], Answer],
    ) -> None:
        self._question = question
        self._make_answer = make_answer
        self.token = question.token

    @property
    def digest(self) -> bytes:
        return digest_token(self._question.key)

    def read(self, answer: TokenResponse) -> Answer:
        principal = Principal.from_body(answer.body, answer.catalog)
        self._question.verify_answer(principal, answer.body)
        return self._make_answer(self._question, principal, answer.answered_at)

    def accepts(self, answer: Answer, now: float) -> bool:  # noqa: ARG002
        return True

    def remembered_until(self, answer: Answer) -> int:
        # Whatever the expiry of the token it was asked with: it says who the bearer is.
        return answer.usable_until


class _Renewals:
    """The questions to be asked again, of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[BearerQuestion, Answer]] = {}
        self._is_under_way = False
        self.wanted_since = float("inf")

    def want(self, question: BearerQuestion, known: Answer, now: float) -> bool:
        """Note that an answer is to be renewed; False if that is noted already."""
        if question.key in self._wanted or len(self._wanted) >= _MAX_WAITING:
            return False
        with self._lock:
            self._wanted[question.key] = (question, known)
            if not self._is_under_way:
                self.wanted_since = min(self.wanted_since, now)
        return True

    def begin(self, ends_at: float) -> None:
        """Note that renewals are under way, and when they should have ended."""
        with self._lock:
            self._is_under_way = True
            self.wanted_since = ends_at

    def end(self, now: float) -> None:
        """Note that they have ended; what is left is wanted since now."""
        with self._lock:
            self._is_under_way = False
            self.wanted_since = now if self._wanted else float("inf")

    def take_one(self) -> tuple[BearerQuestion, Answer] | None:
        """Return what has waited longest, or None."""
        with self._lock:
            key = next(iter(self._wanted), None)
            return None if key is None else self._wanted.pop(key)

    def clear(self) -> None:
        with self._lock:
            self._wanted.clear()

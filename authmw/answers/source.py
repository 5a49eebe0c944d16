"""Asks the identity endpoint about a subject, through the shared cache where there is one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from authmw.answers.entry import TokenEntry, parse_entry
from authmw.answers.read_through import Answered, read_through
from authmw.answers.refused import RefusedAt
from authmw.cache.shared import SharedCache
from authmw.errors import CacheError, IdentityUnavailable, InvalidToken, MalformedBody
from authmw.identity.token_response import TokenResponse, TokenSource

V = TypeVar("V", bound=Answered)


class Subject(Protocol[V]):
    """What is asked about: a token, or its bearer.

    Attributes:
        kind, digest: what the answer is remembered by in the shared cache.
        token: the token string that is shown to the endpoint.
        allow_expired: whether an expired token may be answered for.
    """

    @property
    def kind(self) -> str: ...

    @property
    def digest(self) -> bytes: ...

    @property
    def token(self) -> str: ...

    @property
    def allow_expired(self) -> bool: ...

    def read(self, answer: TokenResponse) -> V:
        """Read an answer of the endpoint.

        Raises:
            MalformedBody: it is no token body.
            InvalidToken: (unsafe_value) a name in it could not be said in a header.
            IdentityUnavailable: it is about another subject.
        """

    def accepts(self, answer: V, now: float) -> bool:
        """Tell whether a remembered answer, however old, is one to this question."""

    def remembered_until(self, answer: V) -> int:
        """Return up to when the shared cache may keep the answer, epoch seconds."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[V]):
    """What the endpoint told, and what was read in it."""

    told: TokenResponse
    answer: V

    @property
    def answered_at(self) -> int:
        return self.answer.answered_at

    @property
    def fresh_until(self) -> int:
        return self.answer.fresh_until

    @property
    def usable_until(self) -> int:
        return self.answer.usable_until


class AnswerSource(Protocol[V]):
    """The identity endpoint, or the shared cache in front of it."""

    def fetch(self, subject: Subject[V], now: float, *, newer_than: int = -1) -> V:
        """Return an answer about a subject.

        Args:
            subject: what is asked about.
            now: epoch seconds.
            newer_than: epoch seconds; an answer given at this time or before is known already.

        Raises:
            InvalidToken: the endpoint refused the subject's token.
            IdentityUnavailable: nobody could say.
        """

    def forget(self, subject: Subject[V], now: float) -> None:
        """Hold no answer about a subject any more, as its token was refused now."""


class EndpointAnswers(Generic[V]):
    """Asks the endpoint every time; see `AnswerSource`."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def fetch(self, subject: Subject[V], now: float, *, newer_than: int = -1) -> V:  # noqa: ARG002
        return ask_endpoint(self._source, subject, now).answer

    def forget(self, subject: Subject[V], now: float) -> None:
        """Do nothing: nothing is held."""


class SharedAnswers(Generic[V]):
    """Asks the endpoint only for what the shared cache does not hold; see `AnswerSource`.

    Args:
        source: the identity endpoint.
        cache: where answers are remembered; told of entries that can't be read.
        include_catalog: whether answers come with the token's catalog.
        clock_skew_seconds: how far ahead the clocks of those we share the cache with may be;
            an answer from further in the future is made up, or would be fresh for too long.
        remember_seconds: how long after it was given an answer may be used at most.
    """

    def __init__(
        self,
        source: TokenSource,
        cache: SharedCache,
        *,
        include_catalog: bool,
        clock_skew_seconds: int,
        remember_seconds: int,
    ) -> None:
        self._source = source
        self.cache = cache
        self.include_catalog = include_catalog
        self.clock_skew_seconds = clock_skew_seconds
        self.refused_at = RefusedAt(remember_seconds + clock_skew_seconds)

    def fetch(self, subject: Subject[V], now: float, *, newer_than: int = -1) -> V:
        entry = _Entry(self, subject, now, newer_than)
        return read_through(entry, lambda: ask_endpoint(self._source, subject, now), now).answer

    def forget(self, subject: Subject[V], now: float) -> None:
        self.refused_at.note(subject.digest, now)
        self.cache.find(subject.kind, subject.digest).clear()


class _Entry(Generic[V]):
    """The entry of one subject in the shared cache; see `Remembered`."""

    def __init__(
        self, answers: SharedAnswers[V], subject: Subject[V], now: float, newer_than: int
    ) -> None:
        self._answers = answers
        self._subject = subject
        self._now = now
        self._newer_than = newer_than
        self._place = answers.cache.find(subject.kind, subject.digest)
        self._found = self._read()

    def recall(self) -> Reading[V] | None:
        # Compared each time: another request may have been refused meanwhile.
        refused_at = self._answers.refused_at.find(self._subject.digest)
        found = self._found
        return None if found is None or found.answered_at <= refused_at else found

    def keep(self, reading: Reading[V]) -> None:
        ttl_seconds = int(self._subject.remembered_until(reading.answer) - self._now)
        entry = TokenEntry(reading.told, has_catalog=self._answers.include_catalog)
        try:
            self._place.put(entry.to_bytes(), ttl_seconds)
        except CacheError as fault:
            self._answers.cache.report_unreadable(fault)

    def forget(self) -> None:
        self._answers.refused_at.note(self._subject.digest, self._now)
        self._place.clear()

    def _read(self) -> Reading[V] | None:
        answers = self._answers
        if self._place.entry is None:
            return None
        try:
            entry = parse_entry(self._place.entry)
            told = entry.answer
            if not self._newer_than < told.answered_at <= self._now + answers.clock_skew_seconds:
                return None
            if not answers.include_catalog:
                told = replace(told, catalog=None)
            elif not entry.has_catalog:
                return None
            reading = Reading(told, self._subject.read(told))
        except CacheError as fault:
            answers.cache.report_unreadable(fault)
            return None
        except (MalformedBody, InvalidToken, IdentityUnavailable) as error:
            # Who can write to an unsealed cache must not keep a token from working.
            answers.cache.report_unreadable(
                CacheError(f"an entry about a {self._subject.kind} can't be the truth: {error}")
            )
            return None
        return reading if self._subject.accepts(reading.answer, self._now) else None


def ask_endpoint(source: TokenSource, subject: Subject[V], now: float) -> Reading[V]:
    """Ask the endpoint, and read what it says.

    Raises InvalidToken or IdentityUnavailable.
    """
    told = source.fetch_token_response(subject.token, allow_expired=subject.allow_expired, now=now)
    try:
        return Reading(told, subject.read(told))
    except MalformedBody as error:
        raise IdentityUnavailable(
            f"the identity endpoint sent a token body that can't be read: {error}"
        ) from error

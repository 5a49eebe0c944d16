"""Answers about a token or bearer: from the shared cache, else from the identity endpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from authmw.answers.entry import TokenEntry, parse_entry
from authmw.answers.read_through import Answered, ask_anew
from authmw.answers.refusal_times import RefusalTimes
from authmw.cache.shared import SharedCache, Slot
from authmw.errors import CacheError, IdentityUnavailable, InvalidToken, MalformedBody
from authmw.identity.token_response import TokenResponse, TokenSource
from authmw.runtime.counts import Count

V = TypeVar("V", bound=Answered)


class Subject(Protocol[V]):
    """A token, or its bearer, that the endpoint is asked about.

    Attributes:
        kind, digest: of its entry in the shared cache.
        token: the token string to validate (X-Subject-Token).
        allow_expired: whether the endpoint is to accept an expired token.
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
            InvalidToken: (unsafe_value) no header can carry one of its names.
            IdentityUnavailable: it is about another subject.
        """

    def accepts(self, answer: V, now: float) -> bool:
        """Tell whether a cached answer decides on an expired subject.

        Called only with `allow_expired`; otherwise every answer decides.
        """

    def remembered_until(self, answer: V) -> int:
        """Return up to when the shared cache may keep the answer, epoch seconds."""


class AnswerSource(Protocol[V]):
    """The identity endpoint, or the shared cache in front of it."""

    def fetch(self, subject: Subject[V], now: float, *, newer_than: int = -1) -> V:
        """Return an answer about a subject.

        Args:
            subject: what is asked about.
            now: epoch seconds.
            newer_than: epoch seconds; an answer given at this time or earlier is not returned.

        Raises:
            InvalidToken: the endpoint refused the subject's token.
            IdentityUnavailable: there is no answer.
        """

    def forget(self, subject: Subject[V], now: float) -> None:
        """Drop the answer about a subject whose token was refused now."""


class EndpointAnswers(Generic[V]):
    """Asks the endpoint every time; see `AnswerSource`."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def fetch(self, subject: Subject[V], now: float, *, newer_than: int = -1) -> V:  # noqa: ARG002
        return ask_endpoint(self._source, subject, now)[1]

    def forget(self, subject: Subject[V], now: float) -> None:
        """Do nothing: nothing is stored."""


class SharedAnswers(Generic[V]):
    """Asks the endpoint only for what the shared cache does not hold; see `AnswerSource`.

    Args:
        source: the identity endpoint.
        cache: stores answers; logs entries that can't be read.
        include_catalog: whether answers come with the token's catalog.
        clock_skew_seconds: how far ahead the clocks of other hosts may be; an answer from
            further in the future is forged, or would be fresh for too long.
        remember_seconds: longest time for which an answer is used.
        hits, misses: count what the cache had and what it had not.
    """

    def __init__(
        self,
        source: TokenSource,
        cache: SharedCache,
        *,
        include_catalog: bool,
        clock_skew_seconds: int,
        remember_seconds: int,
        hits: Count | None = None,
        misses: Count | None = None,
    ) -> None:
        self.source = source
        self.cache = cache
        self.include_catalog = include_catalog
        self._clock_skew_seconds = clock_skew_seconds
        self._hits, self._misses = hits or Count(), misses or Count()
        self.refused_at = RefusalTimes(remember_seconds + clock_skew_seconds)

    def fetch(self, subject: Subject[V], now: float, *, newer_than: int = -1) -> V:
        slot = self.cache.look_up(subject.kind, subject.digest)
        found = None
        if slot.entry is not None:
            newer_than = max(newer_than, self.refused_at.get(subject.digest, -1))
            found = self._read(slot.entry, subject, now, newer_than)
            if found is not None and now < found.fresh_until:
                self._hits.add()
                return found
        self._misses.add()
        return ask_anew(_SharedQuestion(self, subject, now, slot, found), now)

    def forget(self, subject: Subject[V], now: float) -> None:
        self.refused_at.note(subject.digest, now)
        self.cache.look_up(subject.kind, subject.digest).clear()

    def _read(self, entry: bytes, subject: Subject[V], now: float, newer_than: int) -> V | None:
        """Return the answer in an entry; None: it can't be used here."""
        try:
            parsed = parse_entry(entry)
            response = parsed.answer
            if not newer_than < response.answered_at <= now + self._clock_skew_seconds:
                return None
            if not self.include_catalog:
                response = replace(response, catalog=None)
            elif not parsed.catalog_requested:
                return None
            answer = subject.read(response)
        except CacheError as fault:
            self.cache.report_unreadable(fault)
            return None
        except (MalformedBody, InvalidToken, IdentityUnavailable) as error:
            # A forged entry in an unsealed cache must not make a valid token fail.
            self.cache.report_unreadable(
                CacheError(f"an entry about a {subject.kind} is refused: {error}")
            )
            return None
        if subject.allow_expired and not subject.accepts(answer, now):
            return None
        return answer


class _SharedQuestion(Generic[V]):
    """Asks the endpoint about a subject whose answer a shared cache stores; see `Question`."""

    def __init__(
        self,
        answers: SharedAnswers[V],
        subject: Subject[V],
        now: float,
        slot: Slot,
        found: V | None,
    ) -> None:
        self._answers = answers
        self._subject = subject
        self._now = now
        self._slot = slot
        self._found = found

    def ask(self) -> V:
        answers, subject = self._answers, self._subject
        response, answer = ask_endpoint(answers.source, subject, self._now)
        try:
            entry = TokenEntry(response, catalog_requested=answers.include_catalog).to_bytes()
        except CacheError as fault:
            answers.cache.report_unreadable(fault)
        else:
            self._slot.put(entry, int(subject.remembered_until(answer) - self._now))
        return answer

    def forget(self) -> None:
        self._answers.refused_at.note(self._subject.digest, self._now)
        self._slot.clear()

    def find_kept(self) -> V | None:
        found = self._found
        refused_at = self._answers.refused_at.get(self._subject.digest, -1)
        return None if found is None or found.answered_at <= refused_at else found


def ask_endpoint(source: TokenSource, subject: Subject[V], now: float) -> tuple[TokenResponse, V]:
    """Ask the endpoint; return its response, and the answer read from it.

    Raises InvalidToken or IdentityUnavailable.
    """
    response = source.fetch_token_response(
        subject.token, allow_expired=subject.allow_expired, now=now
    )
    try:
        return response, subject.read(response)
    except MalformedBody as error:
        raise IdentityUnavailable(
            f"the identity endpoint sent a token body that can't be read: {error}"
        ) from error

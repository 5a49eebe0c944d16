"""The shared cache in front of the identity endpoint: answers about bearers, remembered.

An answer about one token is kept under its authority key, and serves every token with it.
"""

from __future__ import annotations

from authmw.authority import Question
from authmw.authority.agreement import verify_agreement
from authmw.cache.answers import AnswerEntries
from authmw.cache.keys import digest_token
from authmw.cache.shared import Place, SharedCache
from authmw.errors import CacheError, IdentityUnavailable, InvalidToken
from authmw.identity.answer import TokenAnswer, TokenSource
from authmw.token import MalformedBody, Principal

_KIND = "authority"


class CachedAuthoritySource:
    """Asks the endpoint for authority only what no other process has just asked.

    What it gives for `IdentityAuthority`'s `ask`. An answer is kept for the cache time and
    the grace time, whatever the expiry of the token it was got with: it says who the bearer
    is, and the asking token's own times are in the token. Whoever gets it compares it with
    the signed claims.

    Args:
        source: the identity endpoint.
        cache: where answers are remembered.
        cache_seconds: how long an answer is fresh (`authority_cache_time`).
        grace_seconds: how much longer it may be used in an outage.
        include_catalog: whether answers come with the token's catalog.
        clock_skew_seconds: as of `AnswerEntries`.
    """

    def __init__(
        self,
        source: TokenSource,
        cache: SharedCache,
        *,
        cache_seconds: int,
        grace_seconds: int,
        include_catalog: bool,
        clock_skew_seconds: int,
    ) -> None:
        self._source = source
        self._cache = cache
        self._entries = AnswerEntries(
            cache, include_catalog=include_catalog, clock_skew_seconds=clock_skew_seconds
        )
        self._cache_seconds = cache_seconds
        self._usable_seconds = cache_seconds + grace_seconds

    def __call__(self, question: Question, now: float, *, newer_than: int) -> TokenAnswer:
        """Return what is remembered, else ask; see `authmw.authority.identity.Ask`."""
        # One digest for all: what an entry is about is in its key as well.
        place = self._cache.find(_KIND, digest_token(question.key))
        known = self._read(place, question, now, newer_than)
        if known is not None and now < known.answered_at + self._cache_seconds:
            return known
        try:
            answer = self._source.fetch_token_answer(question.token, allow_expired=False, now=now)
        except InvalidToken:
            place.clear()
            raise
        except IdentityUnavailable:
            if known is not None and now < known.answered_at + self._usable_seconds:
                return known
            raise
        if _find_fault(answer, question) is None:
            self._entries.write(
                place,
                answer,
                expires_at=answer.answered_at + self._usable_seconds,
                ttl_seconds=self._usable_seconds,
            )
        return answer  # whoever asks will say what is wrong with it

    def _read(
        self, place: Place, question: Question, now: float, newer_than: int
    ) -> TokenAnswer | None:
        entry = self._entries.read(place, now)
        if entry is None or entry.answer.answered_at <= newer_than:
            return None
        fault = _find_fault(entry.answer, question)
        if fault is None:
            return entry.answer
        self._cache.report_unreadable(
            CacheError(f"an entry about a bearer can't be the truth: {fault}")
        )
        return None


def _find_fault(answer: TokenAnswer, question: Question) -> str | None:
    """Say why an answer would be refused, as nobody else should get it; None: it would not."""
    try:
        verify_agreement(Principal.from_body(answer.body, answer.catalog), question.keystone)
    except (MalformedBody, InvalidToken, IdentityUnavailable) as error:
        return str(error)
    return None

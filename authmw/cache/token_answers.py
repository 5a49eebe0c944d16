"""The shared cache in front of the identity endpoint: answers about tokens, remembered."""

from __future__ import annotations

from authmw.cache.answers import AnswerEntries
from authmw.cache.keys import digest_token
from authmw.cache.shared import Place, SharedCache
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.identity.answer import TokenAnswer, TokenSource
from authmw.token import MalformedBody, Token
from authmw.validation import Strength

_KIND = "token"


class CachedTokenSource:
    """A `TokenSource` that asks another one only for what is not remembered.

    A fresh answer is returned as it is. An older one is, while the source behind can't
    answer and only then, within the grace time. Neither outlives its token, and what
    `allow_expired` got is remembered apart, without grace.

    Args:
        source: the identity endpoint.
        cache: where answers are remembered.
        cache_seconds: how long an answer is fresh; 0: nothing is remembered.
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
        self._cache_seconds = cache_seconds
        self._grace_seconds = grace_seconds
        self._entries = AnswerEntries(
            cache, include_catalog=include_catalog, clock_skew_seconds=clock_skew_seconds
        )

    def fetch_token_answer(self, token: str, *, allow_expired: bool, now: float) -> TokenAnswer:
        """Return what is remembered, else ask; see `TokenSource`."""
        if self._cache_seconds <= 0:
            return self._source.fetch_token_answer(token, allow_expired=allow_expired, now=now)
        digest = digest_token(token)
        strength = Strength.ALLOW_EXPIRED if allow_expired else Strength.CURRENT
        place = self._cache.find(_KIND, digest, strength)
        known = self._read(place, now, allow_expired=allow_expired)
        if known is not None and now < known.answered_at + self._cache_seconds:
            return known
        try:
            answer = self._source.fetch_token_answer(token, allow_expired=allow_expired, now=now)
        except InvalidToken:
            place.clear()
            if allow_expired and place.is_reachable:  # no good at full strength either
                self._cache.clear(_KIND, digest, Strength.CURRENT)
            raise
        except IdentityUnavailable:
            if allow_expired and place.is_reachable:
                # What is good at full strength is good for those who need less.
                place = self._cache.find(_KIND, digest, Strength.CURRENT)
                known = self._read(place, now, allow_expired=False)
            usable_seconds = self._cache_seconds + self._grace_seconds
            if known is not None and now < known.answered_at + usable_seconds:
                return known
            raise
        self._write(place, answer, now, allow_expired=allow_expired)
        return answer

    def _read(self, place: Place, now: float, *, allow_expired: bool) -> TokenAnswer | None:
        """Return the answer kept there, if it may be used at all; its age is not judged."""
        entry = self._entries.read(place, now)
        if entry is None or (now >= entry.expires_at and not allow_expired):
            return None
        return entry.answer

    def _write(self, place: Place, answer: TokenAnswer, now: float, *, allow_expired: bool) -> None:
        try:
            expires_at = Token.from_body(
                answer.body, answer.catalog, fresh_until=0, usable_until=0
            ).expires_at
        except (MalformedBody, InvalidToken):
            return  # whoever reads the body will say what is wrong with it
        ttl_seconds = self._cache_seconds
        if not allow_expired:
            ttl_seconds = min(ttl_seconds + self._grace_seconds, int(expires_at - now))
        self._entries.write(place, answer, expires_at=expires_at, ttl_seconds=ttl_seconds)

"""Remote validation: the identity endpoint is asked about the token."""

from __future__ import annotations

from collections.abc import Sequence

from authmw.checks.expiry import verify_not_expired
from authmw.errors import IdentityUnavailable
from authmw.identity.answer import TokenSource
from authmw.token import MalformedBody, Token
from authmw.validation import Strength


class RemoteValidator:
    """Asks the identity endpoint (Identity API v3, "Validate and show information for token").

    Args:
        sources: the endpoint, or a cache in front of it and the endpoint itself, which is asked
            where what the cache says is no token body.
        cache_seconds: how long an answer is fresh; with 0 it is asked for every time.
        grace_seconds: how much longer it may be used while the endpoint can't answer.
    """

    def __init__(
        self, sources: Sequence[TokenSource], *, cache_seconds: int, grace_seconds: int
    ) -> None:
        self._sources = tuple(sources)
        self._cache_seconds = cache_seconds
        self._grace_seconds = grace_seconds

    def validate(self, token: str, strength: Strength, now: float) -> Token:
        """Ask about one token; see `authmw.validation.Validator`."""
        allow_expired = strength is Strength.ALLOW_EXPIRED
        for source in self._sources:
            try:
                validated = self._ask(source, token, now, allow_expired=allow_expired)
                break
            except MalformedBody as error:
                # Who can write to a cache must not keep a token from working: ask the endpoint.
                malformed = error
        else:
            raise IdentityUnavailable(
                f"the identity endpoint sent a token body that can't be read: {malformed}"
            ) from malformed
        if not allow_expired:
            verify_not_expired(validated, now)
        return validated

    def _ask(self, source: TokenSource, token: str, now: float, *, allow_expired: bool) -> Token:
        answer = source.fetch_token_answer(token, allow_expired=allow_expired, now=now)
        fresh_until = answer.answered_at + self._cache_seconds
        return Token.from_body(
            answer.body,
            answer.catalog,
            fresh_until=fresh_until,
            usable_until=fresh_until + self._grace_seconds,
        )

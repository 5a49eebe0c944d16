"""Remote validation: the identity endpoint is asked about the token."""

from __future__ import annotations

from authmw.checks.expiry import verify_not_expired
from authmw.errors import IdentityUnavailable
from authmw.identity.answer import TokenSource
from authmw.token import MalformedBody, Token
from authmw.validation import Strength


class RemoteValidator:
    """Asks the identity endpoint (Identity API v3, "Validate and show information for token").

    Args:
        source: the endpoint, or a cache in front of it.
        cache_seconds: how long an answer is fresh; with 0 it is asked for every time.
        grace_seconds: how much longer it may be used while the endpoint can't answer.
    """

    def __init__(self, source: TokenSource, *, cache_seconds: int, grace_seconds: int) -> None:
        self._source = source
        self._cache_seconds = cache_seconds
        self._grace_seconds = grace_seconds

    def validate(self, token: str, strength: Strength, now: float) -> Token:
        """Ask about one token; see `authmw.validation.Validator`."""
        allow_expired = strength is Strength.ALLOW_EXPIRED
        answer = self._source.fetch_token_answer(token, allow_expired=allow_expired, now=now)
        fresh_until = answer.answered_at + self._cache_seconds
        try:
            validated = Token.from_body(
                answer.body,
                answer.catalog,
                fresh_until=fresh_until,
                usable_until=fresh_until + self._grace_seconds,
            )
        except MalformedBody as error:
            raise IdentityUnavailable(
                f"the identity endpoint sent a token body that can't be read: {error}"
            ) from error
        if not allow_expired:
            verify_not_expired(validated, now)
        return validated

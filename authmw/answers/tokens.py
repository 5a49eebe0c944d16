"""One token as the subject of an answer: how the answer is read, how long it is used."""

from __future__ import annotations

from typing import NamedTuple

from authmw.cache.digests import digest_text
from authmw.checks.expiry import ExpiryPolicy, is_conclusive, was_expired
from authmw.identity.token_response import TokenResponse
from authmw.token import Token


class TokenLifetime(NamedTuple):
    """How long an answer about a token is used.

    Attributes:
        fresh_seconds: `token_cache_time`.
        grace_seconds: how much longer it may be used while the endpoint does not answer.
        expired_seconds: how long an answer about an expired token (`allow_expired`) is used.
    """

    fresh_seconds: int
    grace_seconds: int
    expired_seconds: int

    def counts_until(self, token: Token) -> int:
        """Return up to when an answer about the token itself is fresh, epoch seconds."""
        return token.answered_at + (
            self.expired_seconds if was_expired(token) else self.fresh_seconds
        )


class TokenSubject:
    """One token, asked about under one expiry policy; see `authmw.answers.source.Subject`."""

    kind = "token"

    def __init__(self, token: str, expiry_policy: ExpiryPolicy, lifetime: TokenLifetime) -> None:
        self.token = token
        self.digest = digest_text(token)
        self.expiry_policy = expiry_policy
        self.allow_expired = expiry_policy is ExpiryPolicy.ALLOW_EXPIRED
        self._lifetime = lifetime

    def read(self, answer: TokenResponse) -> Token:
        answered_at = answer.answered_at
        fresh_until = answered_at + self._lifetime.fresh_seconds
        token = Token.from_body(
            answer.body,
            answer.catalog,
            answered_at=answered_at,
            fresh_until=fresh_until,
            usable_until=fresh_until + self._lifetime.grace_seconds,
            oauth=answer.oauth,
        )
        if not was_expired(token):
            return token
        # Only the endpoint can say for how long an expired token may be used: no grace.
        until = answered_at + self._lifetime.expired_seconds
        return token.renewed(fresh_until=until, usable_until=until)

    def accepts(self, answer: Token, now: float) -> bool:
        return is_conclusive(answer, self.expiry_policy, now)

    def remembered_until(self, answer: Token) -> int:
        if self.allow_expired and was_expired(answer):
            return answer.fresh_until
        return min(answer.usable_until, answer.expires_at)

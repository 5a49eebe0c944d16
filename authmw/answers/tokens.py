"""Answers about one token: how they are read, and how long they count."""

from __future__ import annotations

from dataclasses import dataclass, replace

from authmw.answers.bearer_key import bearer_key
from authmw.cache.keys import digest_token
from authmw.errors import MalformedBody
from authmw.identity.token_response import TokenResponse
from authmw.token import Token
from authmw.validation import Strength


@dataclass(frozen=True, slots=True)
class TokenLifetime:
    """How long an answer about a token counts.

    Attributes:
        fresh_seconds: `token_cache_time`.
        grace_seconds: how much longer it may be used while the endpoint can't answer.
        expired_seconds: how long an answer about an expired token (`allow_expired`) counts.
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
    """One token, asked about with one strength; see `authmw.answers.source.Subject`."""

    kind = "token"

    def __init__(self, token: str, strength: Strength, lifetime: TokenLifetime) -> None:
        self.token = token
        self.strength = strength
        self.allow_expired = strength is Strength.ALLOW_EXPIRED
        self._lifetime = lifetime

    @property
    def digest(self) -> bytes:
        return digest_token(self.token)

    def read(self, answer: TokenResponse) -> Token:
        try:
            bearer = bearer_key(answer.body)
        except ValueError:
            raise MalformedBody("the token body is nested too deep") from None
        fresh_until = answer.answered_at + self._lifetime.fresh_seconds
        token = Token.from_body(
            answer.body,
            answer.catalog,
            answered_at=answer.answered_at,
            fresh_until=fresh_until,
            usable_until=fresh_until + self._lifetime.grace_seconds,
            bearer=bearer,
        )
        if not was_expired(token):
            return token
        # For how long an expired token may be used is the endpoint's alone to say.
        until = self._lifetime.counts_until(token)
        return replace(token, fresh_until=until, usable_until=until)

    def accepts(self, answer: Token, now: float) -> bool:
        return decides(answer, self.strength, now)

    def remembered_until(self, answer: Token) -> int:
        if self.allow_expired and was_expired(answer):
            return answer.fresh_until
        return min(answer.usable_until, answer.expires_at)


def was_expired(token: Token) -> bool:
    """Tell whether a token had expired when it was answered for (`allow_expired`)."""
    return token.answered_at >= token.expires_at


def decides(token: Token, strength: Strength, now: float) -> bool:
    """Tell whether a remembered answer about a token decides on a request of this strength.

    Whether an expired token may still be used only the identity endpoint says, so an answer
    given before the expiry says nothing about it. An expired token at full strength is refused
    whatever is remembered.
    """
    return strength is Strength.CURRENT or now < token.expires_at or was_expired(token)

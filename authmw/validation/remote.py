"""Remote validation: the identity endpoint is asked about the token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from authmw.answers.bearer_key import bearer_key
from authmw.answers.source import AnswerSource
from authmw.answers.tokens import TokenLifetime, TokenSubject, decides, was_expired
from authmw.authority import LOOK_AGAIN_SECONDS, Answer
from authmw.authority.identity import IdentityAuthority
from authmw.checks.expiry import verify_not_expired
from authmw.errors import IdentityUnavailable
from authmw.revocation.verdict import Revocations
from authmw.token import Principal, Token
from authmw.validation import Strength


class RemoteValidator:
    """Asks the identity endpoint (Identity API v3, "Validate and show information for token").

    Roles are the bearer's, not the token's, and change while a token lives. With `bearers` they
    are renewed more often than the token is asked about, with one call for all tokens of a
    bearer.

    Args:
        source: the endpoint, or a cache in front of it.
        lifetime: how long an answer about a token counts.
        revocations: which answers are too old for their tokens to be compared with all events.
        bearers: keeps what is known of bearers fresh; None: that is as old as the answer about
            the token.
    """

    def __init__(
        self,
        source: AnswerSource[Token],
        lifetime: TokenLifetime,
        revocations: Revocations,
        bearers: IdentityAuthority | None = None,
    ) -> None:
        self._source = source
        self._lifetime = lifetime
        self._revocations = revocations
        self._bearers = bearers

    def validate(self, token: str, strength: Strength, now: float, known: Token | None) -> Token:
        """Ask about one token; see `authmw.validation.Validator`."""
        own = self._find_own(token, strength, now, known)
        if strength is Strength.CURRENT:
            verify_not_expired(own, now)
        if self._bearers is None or was_expired(own):
            return own
        if now >= self._lifetime.counts_until(own):
            # Nobody could be asked a moment ago, so nobody is asked about the bearer either.
            return self._use_in_outage(self._bearers, own, now)
        return self._with_bearer(self._bearers, own, token, now)

    def _find_own(self, token: str, strength: Strength, now: float, known: Token | None) -> Token:
        """Return what was answered about the token itself, asked for anew once it is old."""
        if known is not None and not decides(known, strength, now):
            known = None
        if known is not None and now < self._lifetime.counts_until(known):
            return known
        try:
            return self._source.fetch(
                TokenSubject(token, strength, self._lifetime),
                now,
                newer_than=self._revocations.complete_from - 1,
            )
        except IdentityUnavailable:
            if known is not None and now < known.usable_until:
                return replace(known, fresh_until=_soon(known, now))
            raise

    def _with_bearer(
        self, bearers: IdentityAuthority, own: Token, string: str, now: float
    ) -> Token:
        question = OpaqueQuestion(own, string)
        answer: Answer | None
        if own.answered_at > bearers.refused_at(question.key):
            answer = bearers.learn(question, own.principal, own.answered_at)
        else:
            answer = bearers.recall(question.key)
        if answer is None or now >= answer.fresh_until:
            if not bearers.may_ask(question, now):
                return _join(own, answer, _soon(own, now))
            try:
                answer = bearers.look_up(question, now)
            except IdentityUnavailable:
                return self._use_in_outage(bearers, own, now)
        elif answer.renew is not None and now >= answer.renew_from:
            answer.renew(question, answer, now)
        until = answer.relied_on_until(now)
        return _join(own, answer, min(until, self._lifetime.counts_until(own)))

    def _use_in_outage(self, bearers: IdentityAuthority, own: Token, now: float) -> Token:
        """Return the token with what was last said of its bearer.

        Raises IdentityUnavailable if the last answer about the bearer was a refusal.
        """
        key = _key_of(own)
        answer = bearers.recall(key)
        if answer is None and own.answered_at <= bearers.refused_at(key):
            raise IdentityUnavailable(
                "a token of the same bearer was refused, and whether this one is still good "
                "nobody can say"
            )
        return _join(own, answer, _soon(own, now))


class OpaqueQuestion:
    """Asks about the bearer of a token that the endpoint has answered for before.

    See `authmw.authority.identity.BearerQuestion`.
    """

    is_rationed = True
    thumbprint = None

    def __init__(self, own: Token, string: str) -> None:
        self.key = _key_of(own)
        self.token = string
        self.methods = own.methods

    def verify_answer(self, principal: Principal, body: Mapping[str, object]) -> None:  # noqa: ARG002
        """Raise IdentityUnavailable if an answer is about another bearer."""
        if bearer_key(body) != self.key:
            raise IdentityUnavailable("the answer is about another bearer than the token")


def _key_of(own: Token) -> str:
    if own.bearer is None:
        raise TypeError("a signed token is no business of the remote validator")
    return own.bearer


def _join(own: Token, answer: Answer | None, fresh_until: int) -> Token:
    """Put together what was said of the token and what, later, of its bearer."""
    principal = own.principal if answer is None else answer.principal
    return replace(own, principal=principal, fresh_until=fresh_until)


def _soon(own: Token, now: float) -> int:
    """Return when to look again at what is older than it should be."""
    return min(int(now) + LOOK_AGAIN_SECONDS, own.usable_until)

"""Remote validation: the identity endpoint is asked about the token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from authmw.answers.bearer_key import bearer_key
from authmw.answers.refused import RefusedAt
from authmw.answers.source import AnswerSource
from authmw.answers.tokens import TokenLifetime, TokenSubject, decides, was_expired
from authmw.authority import LOOK_AGAIN_SECONDS, Answer
from authmw.authority.identity import IdentityAuthority
from authmw.checks.expiry import verify_not_expired
from authmw.errors import IdentityUnavailable
from authmw.revocation.revocations import Revocations
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
        # Of tokens that were refused when their bearers were asked about.
        self._refused_at = RefusedAt(lifetime.fresh_seconds + lifetime.grace_seconds)

    def validate(self, token: str, strength: Strength, now: float, known: Token | None) -> Token:
        """Ask about one token; see `authmw.validation.Validator`."""
        subject = TokenSubject(token, strength, self._lifetime)
        own = self._find_own(subject, now, known)
        if strength is Strength.CURRENT:
            verify_not_expired(own, now)
        if self._bearers is None or was_expired(own):
            return own
        question = OpaqueQuestion(own, token, lambda: self._note_refusal(subject, now))
        if now >= self._lifetime.counts_until(own):
            # Nobody could be asked a moment ago, so nobody is asked about the bearer either.
            return self._use_in_outage(self._bearers, question, now)
        return self._with_bearer(self._bearers, question, now)

    def _find_own(self, subject: TokenSubject, now: float, known: Token | None) -> Token:
        """Return what was answered about the token itself, asked for anew once it is old."""
        refused_at = self._refused_at.find(subject.digest)
        if known is not None and (
            known.answered_at <= refused_at or not decides(known, subject.strength, now)
        ):
            known = None
        if known is not None and now < self._lifetime.counts_until(known):
            return known
        # What a shared cache holds may be older than what this process knows.
        known_at = -1 if known is None else known.answered_at
        try:
            return self._source.fetch(
                subject,
                now,
                newer_than=max(self._revocations.complete_from - 1, refused_at, known_at),
            )
        except IdentityUnavailable:
            if known is not None and now < known.usable_until:
                return replace(known, fresh_until=_soon(known, now))
            raise

    def _note_refusal(self, subject: TokenSubject, now: float) -> None:
        """Note that the endpoint refused a token when its bearer was asked about.

        What other tokens of the bearer are answered must not vouch for this one.
        """
        self._refused_at.note(subject.digest, now)
        self._source.forget(subject, now)

    def _with_bearer(
        self, bearers: IdentityAuthority, question: OpaqueQuestion, now: float
    ) -> Token:
        own, answer = question.own, _last_said(bearers, question)
        if answer is None or now >= answer.fresh_until:
            # A refusal is not to be passed over: only where there is an answer it can wait.
            if answer is not None and not bearers.may_ask(question, now):
                return _join(own, answer, _soon(own, now))
            try:
                answer = bearers.look_up(question, now)
            except IdentityUnavailable:
                return self._use_in_outage(bearers, question, now)
        elif answer.renew is not None and now >= answer.renew_from:
            answer.renew(question, answer, now)
        until = answer.relied_on_until(now)
        return _join(own, answer, min(until, self._lifetime.counts_until(own)))

    def _use_in_outage(
        self, bearers: IdentityAuthority, question: OpaqueQuestion, now: float
    ) -> Token:
        """Return the token with what was last said of its bearer.

        Raises IdentityUnavailable if the last answer about the bearer was a refusal.
        """
        own, answer = question.own, _last_said(bearers, question)
        if answer is None:
            raise IdentityUnavailable(
                "a token of the same bearer was refused, and whether this one is still good "
                "nobody can say"
            )
        return _join(own, answer, _soon(own, now))


class OpaqueQuestion:
    """Asks about the bearer of a token that the endpoint has answered for before.

    See `authmw.authority.identity.BearerQuestion`.

    Args:
        own: what it answered.
        string: the token.
        note_refusal: called when the endpoint refuses the token.
    """

    is_rationed = True
    thumbprint = None

    def __init__(self, own: Token, string: str, note_refusal: Callable[[], None]) -> None:
        self.own = own
        self.key = _key_of(own)
        self.token = string
        self.methods = own.methods
        self.note_refusal = note_refusal

    def verify_answer(self, principal: Principal, body: Mapping[str, object]) -> None:  # noqa: ARG002
        """Raise IdentityUnavailable if an answer is about another bearer."""
        if bearer_key(body) != self.key:
            raise IdentityUnavailable("the answer is about another bearer than the token")


def _key_of(own: Token) -> str:
    if own.bearer is None:
        raise TypeError("a signed token is no business of the remote validator")
    return own.bearer


def _last_said(bearers: IdentityAuthority, question: OpaqueQuestion) -> Answer | None:
    """Return the newest answer about a bearer; None: he was refused since.

    The answer about the token itself is one about its bearer, too.
    """
    own = question.own
    if own.answered_at > bearers.refused_at(question.key):
        return bearers.learn(question, own.principal, own.answered_at)
    return bearers.recall(question.key)


def _join(own: Token, answer: Answer, fresh_until: int) -> Token:
    """Put together what was said of the token and what, later, of its bearer."""
    return replace(own, principal=answer.principal, fresh_until=fresh_until)


def _soon(own: Token, now: float) -> int:
    """Return when to look again at what is older than it should be."""
    return min(int(now) + LOOK_AGAIN_SECONDS, own.usable_until)

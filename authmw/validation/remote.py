"""Remote validation: the identity endpoint is asked about the token."""

from __future__ import annotations

from dataclasses import replace

from authmw.answers.refusal_times import RefusalTimes
from authmw.answers.source import AnswerSource
from authmw.answers.tokens import TokenLifetime, TokenSubject
from authmw.authority.authorization import LOOK_AGAIN_SECONDS
from authmw.authority.identity import IdentityAuthority
from authmw.authority.opaque_bearer import OpaqueBearer
from authmw.checks.expiry import ExpiryPolicy, is_conclusive, verify_not_expired, was_expired
from authmw.errors import IdentityUnavailable
from authmw.revocation.revocations import Revocations
from authmw.token import Token


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
        self._refused_at = RefusalTimes(lifetime.fresh_seconds + lifetime.grace_seconds)

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        """Ask about one token; see `authmw.validation.validator.Validator`."""
        subject = TokenSubject(token, expiry_policy, self._lifetime)
        own = self._find_own(subject, now, known)
        if now >= own.expires_at and expiry_policy is ExpiryPolicy.REFUSE_EXPIRED:
            verify_not_expired(own, now)
        if self._bearers is None or was_expired(own):
            return own
        bearer = OpaqueBearer(own, token, lambda: self._note_refusal(subject, now))
        own_until = own.answered_at + self._lifetime.fresh_seconds
        if now >= own_until:
            # Nobody could be asked a moment ago, so nobody is asked about the bearer either.
            return _use_in_outage(self._bearers, bearer, own, now)
        return _join_bearer(self._bearers, bearer, own, own_until, now)

    def _find_own(self, subject: TokenSubject, now: float, known: Token | None) -> Token:
        """Return what was answered about the token itself, asked for anew once it is old."""
        refused_at = self._refused_at.get(subject.digest, -1)
        # What a shared cache holds may be older than what this process knows.
        newer_than = max(self._revocations.complete_from - 1, refused_at)
        if known is None or (
            known.answered_at <= refused_at or not is_conclusive(known, subject.expiry_policy, now)
        ):
            return self._source.fetch(subject, now, newer_than=newer_than)
        if now < self._lifetime.counts_until(known):
            return known
        try:
            return self._source.fetch(subject, now, newer_than=max(newer_than, known.answered_at))
        except IdentityUnavailable:
            if now < known.usable_until:
                return replace(known, fresh_until=_soon(known, now))
            raise

    def _note_refusal(self, subject: TokenSubject, now: float) -> None:
        """Note that the endpoint refused a token when its bearer was asked about.

        What other tokens of the bearer are answered must not vouch for this one.
        """
        self._refused_at.note(subject.digest, now)
        self._source.forget(subject, now)


def _join_bearer(
    bearers: IdentityAuthority, bearer: OpaqueBearer, own: Token, own_until: int, now: float
) -> Token:
    """Return the token with what its bearer may do now, asked for where that is old."""
    # The answer about the token itself is one about its bearer, too.
    newest = bearers.learn(bearer, own.principal, own.answered_at)
    if newest is None or now >= newest.fresh_until:
        # A refusal is not to be passed over: only where there is an answer it can wait.
        if newest is not None and not bearers.may_ask(bearer, now):
            return replace(own, principal=newest.principal, fresh_until=_soon(own, now))
        try:
            newest = bearers.look_up(bearer, now)
        except IdentityUnavailable:
            return _use_in_outage(bearers, bearer, own, now)
    elif newest.renew is not None and now >= newest.renew_from:
        newest.renew(bearer, newest, now)
    until = min(newest.relied_on_until(now), own_until)
    return replace(own, principal=newest.principal, fresh_until=until)


def _use_in_outage(
    bearers: IdentityAuthority, bearer: OpaqueBearer, own: Token, now: float
) -> Token:
    """Return the token with the last answer about its bearer.

    Raises IdentityUnavailable if that was a refusal.
    """
    newest = bearers.learn(bearer, own.principal, own.answered_at)
    if newest is None:
        raise IdentityUnavailable(
            "a token of the same bearer was refused, and whether this one is still good "
            "nobody can say"
        )
    return replace(own, principal=newest.principal, fresh_until=_soon(own, now))


def _soon(own: Token, now: float) -> int:
    """Return when to validate again what is older than it should be."""
    return min(int(now) + LOOK_AGAIN_SECONDS, own.usable_until)

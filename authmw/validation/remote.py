"""Remote validation: the identity endpoint is asked about the token."""

from __future__ import annotations

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
    are renewed more often than the token is validated, with one call for all tokens of a
    bearer.

    Args:
        source: the endpoint, or a cache in front of it.
        lifetime: how long an answer about a token is used.
        revocations: tell which answers are older than events that were dropped.
        bearers: renews the roles of bearers; None: roles are as old as the answer about the token.
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
        # Tokens that the endpoint refused when it was asked about their bearers.
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
            # The endpoint did not answer a moment ago, so it is not asked about the bearer either.
            return _use_in_outage(self._bearers, bearer, own, now)
        return _join_bearer(self._bearers, bearer, own, own_until, now)

    def _find_own(self, subject: TokenSubject, now: float, known: Token | None) -> Token:
        """Return the answer about the token itself, renewed once it is old."""
        refused_at = self._refused_at.get(subject.digest, -1)
        # An entry of a shared cache may be older than events and refusals known to this process.
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
                return known.renewed(fresh_until=_next_try(known, now))
            raise

    def _note_refusal(self, subject: TokenSubject, now: float) -> None:
        """Record that the endpoint refused a token when it was asked about the bearer.

        Answers about other tokens of the bearer must not be used for this one.
        """
        self._refused_at.note(subject.digest, now)
        self._source.forget(subject, now)


def _join_bearer(
    bearers: IdentityAuthority, bearer: OpaqueBearer, own: Token, own_until: int, now: float
) -> Token:
    """Return the token with the current roles of its bearer, renewed where they are old."""
    # The answer about the token itself is one about its bearer, too.
    newest = bearers.learn(bearer, own.principal, own.answered_at)
    if newest is None or now >= newest.fresh_until:
        # After a refusal (None) the endpoint has to be asked; only with an answer can that wait.
        if newest is not None and not bearers.may_ask(bearer, now):
            return own.renewed(principal=newest.principal, fresh_until=_next_try(own, now))
        try:
            newest = bearers.look_up(bearer, now)
        except IdentityUnavailable:
            return _use_in_outage(bearers, bearer, own, now)
    elif newest.renew is not None and now >= newest.renew_from:
        newest.renew(bearer, newest, now)
    until = min(newest.relied_on_until(now), own_until)
    return own.renewed(principal=newest.principal, fresh_until=until)


def _use_in_outage(
    bearers: IdentityAuthority, bearer: OpaqueBearer, own: Token, now: float
) -> Token:
    """Return the token with the last answer about its bearer.

    Raises IdentityUnavailable if that was a refusal.
    """
    newest = bearers.learn(bearer, own.principal, own.answered_at)
    if newest is None:
        raise IdentityUnavailable(
            "a token of the same bearer was refused, and the identity endpoint does not say "
            "whether this one is still valid"
        )
    return own.renewed(principal=newest.principal, fresh_until=_next_try(own, now))


def _next_try(own: Token, now: float) -> int:
    """Return when to validate a token again whose answers are outdated, epoch seconds."""
    return min(int(now) + LOOK_AGAIN_SECONDS, own.usable_until)

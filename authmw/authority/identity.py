"""Authority from the identity endpoint, asked once for each bearer, not once for each token."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from authmw.answers.read_through import ask_anew
from authmw.answers.refusal_times import RefusalTimes
from authmw.answers.source import AnswerSource
from authmw.authority.authorization import Authorization
from authmw.authority.bearer import Bearer
from authmw.authority.rate import RenewalRate
from authmw.authority.renewals import Renewals
from authmw.cache.digests import digest_text
from authmw.cache.memory import MemoryCache
from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.identity.token_response import TokenResponse
from authmw.runtime.flights import Flights
from authmw.runtime.process import PerProcess
from authmw.token import Principal

# An answer in use is renewed in the background in this last part of its time.
_RENEW_IN_LAST_PART = 0.25
# How long one round of renewals takes at most, should a request have to do it.
_ROUND_SECONDS = 1.0


class IdentityAuthority:
    """Asks the identity endpoint to validate one token, and believes it for all like it.

    Concurrent questions with one key cause one call; its success is shared, while after a
    refusal each asks with its own token, as a revoked token says nothing about others.

    It is `Refreshable`: an answer that is in use is asked for again before it ends.

    Args:
        source: the endpoint, or a cache in front of it.
        memory: remembers what it answered.
        fresh_seconds: how long an answer holds (`authority_cache_time`).
        grace_seconds: how much longer it may be used while the endpoint can't answer.
        deadline_seconds: how long one call may take.
        rate: how many rationed questions may be asked.
        wake: called when a renewal is wanted, so that `reload` is called before long.
    """

    def __init__(
        self,
        source: AnswerSource[Authorization],
        *,
        memory: MemoryCache[Authorization],
        fresh_seconds: int,
        grace_seconds: int,
        deadline_seconds: float,
        rate: RenewalRate,
        wake: Callable[[IdentityAuthority], None],
    ) -> None:
        self.source = source
        self.memory = memory
        self.recall = memory.use
        self._fresh_seconds = fresh_seconds
        self._usable_seconds = fresh_seconds + grace_seconds
        self._renew_ahead_seconds = max(1, int(fresh_seconds * _RENEW_IN_LAST_PART))
        # A call, and the wait for another request's call before it.
        self._longest_round_seconds = _ROUND_SECONDS + 2 * deadline_seconds
        self._flights: Flights[Authorization] = Flights(deadline_seconds, share_refusals=False)
        self.refused_at = RefusalTimes(self._usable_seconds)
        self._renewals = PerProcess(Renewals)
        self._rate = rate
        self._wake = wake

    def learn(self, bearer: Bearer, principal: Principal, answered_at: int) -> Authorization | None:
        """Remember what the endpoint said of a bearer when it was asked about a token.

        Returns the newest authorization; None: the bearer was refused since.
        """
        key = bearer.key
        known = self.recall(key)
        if answered_at <= self.refused_at.get(key, -1):
            return known
        if known is None or known.answered_at < answered_at:
            known = self.make_authorization(bearer, principal, answered_at)
            self.memory.put(key, known)
        return known

    def look_up(self, bearer: Bearer, now: float) -> Authorization:
        """Ask, unless another request has just done so; see `Authority`."""
        return self._flights.run(bearer.key, functools.partial(self._renew, bearer, -1, now))

    def may_ask(self, bearer: Bearer, now: float) -> bool:
        """Tell whether the endpoint may be asked about one more bearer now."""
        return not bearer.is_rationed or self._rate.take(now)

    def _want_renewal(self, bearer: Bearer, known: Authorization, now: float) -> None:
        if self._renewals.get().want(bearer, known, now):
            self._wake(self)

    @property
    def reload_at(self) -> float:
        """See `Refreshable`: the time since which a renewal is wanted.

        While renewals are under way it is when they should be done at the latest: the endpoint
        may be slow, and no request is to wait for what others may need.
        """
        return self._renewals.get().wanted_since

    def reload(self, now: float) -> None:
        """Renew what is wanted, one call each; what is not done in a second stays wanted."""
        renewals = self._renewals.get()
        began_at = time.monotonic()
        renewals.begin(now + self._longest_round_seconds)
        try:
            self._renew_wanted(renewals, now)
        finally:
            renewals.end(now + time.monotonic() - began_at)

    def _renew_wanted(self, renewals: Renewals, now: float) -> None:
        give_up_at = time.monotonic() + _ROUND_SECONDS
        while time.monotonic() < give_up_at and (wanted := renewals.take_one()) is not None:
            bearer, known = wanted
            if not self.may_ask(bearer, now):
                # Whoever uses it will want it again.
                continue
            try:
                answer = self._flights.run(
                    bearer.key, functools.partial(self._renew, bearer, known.answered_at, now)
                )
            except InvalidToken:
                continue  # the answer is gone; the next request asks with its own token
            except IdentityUnavailable:
                answer = known
            if answer.answered_at <= known.answered_at:
                # Nobody answers. What is known ends in its own time; what is in use will be
                # wanted again.
                renewals.clear()

    def _renew(self, bearer: Bearer, known_at: int, now: float) -> Authorization:
        """Return an authorization newer than `known_at`, asked for if need be.

        Raises InvalidToken or IdentityUnavailable.
        """
        current = self.recall(bearer.key)
        if current is not None:
            if current.answered_at > known_at and now < current.fresh_until:
                return current  # another flight was quicker
            known_at = max(known_at, current.answered_at)
        try:
            return ask_anew(_BearerSubject(self, bearer, known_at, now), now)
        except InvalidToken:
            bearer.note_refusal()
            raise

    def make_authorization(
        self, bearer: Bearer, principal: Principal, answered_at: int
    ) -> Authorization:
        """Return what the endpoint's answer about a bearer amounts to."""
        fresh_until = answered_at + self._fresh_seconds
        return Authorization(
            principal,
            bearer.methods,
            bearer.thumbprint,
            answered_at,
            renew_from=fresh_until - self._renew_ahead_seconds,
            fresh_until=fresh_until,
            usable_until=answered_at + self._usable_seconds,
            renew=self._want_renewal,
        )


class _BearerSubject:
    """A bearer to ask about, whose answer memory keeps.

    See `authmw.answers.source.Subject` and `authmw.answers.read_through.Question`.
    """

    kind = "bearer"
    allow_expired = False

    def __init__(self, authority: IdentityAuthority, bearer: Bearer, known_at: int, now: float):
        self.token = bearer.token
        self.digest = digest_text(bearer.key)
        self._authority = authority
        self._bearer = bearer
        self._known_at = known_at
        self._now = now

    def ask(self) -> Authorization:
        authority, key = self._authority, self._bearer.key
        newer_than = max(self._known_at, authority.refused_at.get(key, -1))
        authorization = authority.source.fetch(self, self._now, newer_than=newer_than)
        authority.memory.put(key, authorization)
        return authorization

    def forget(self) -> None:
        # It may be the bearer who is refused: an earlier answer must not come back in an outage.
        # If it is this token alone, asking once more is all it costs.
        self._authority.refused_at.note(self._bearer.key, self._now)
        self._authority.memory.discard(self._bearer.key)

    def find_kept(self) -> Authorization | None:
        return self._authority.recall(self._bearer.key)

    def read(self, answer: TokenResponse) -> Authorization:
        principal = Principal.from_body(answer.body, answer.catalog)
        self._bearer.verify_answer(principal, answer.body)
        return self._authority.make_authorization(self._bearer, principal, answer.answered_at)

    def accepts(self, answer: Authorization, now: float) -> bool:  # noqa: ARG002
        return True

    def remembered_until(self, answer: Authorization) -> int:
        # Whatever the expiry of the token it was asked with: it says who the bearer is.
        return answer.usable_until

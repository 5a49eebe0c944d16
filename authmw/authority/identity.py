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
from authmw.runtime.counts import Count
from authmw.runtime.flights import Flights
from authmw.runtime.process import PerProcess
from authmw.token import Principal

# An answer in use is renewed in the background in this last part of its time.
_RENEW_IN_LAST_PART = 0.25
# How long one round of renewals takes at most, should a request have to do it.
_ROUND_SECONDS = 1.0


class IdentityAuthority:
    """Has the identity endpoint validate one token of a bearer, and uses the answer for all.

    Concurrent requests with one key cause one call. They share its success; after a refusal each
    asks with its own token, since the revocation of one token says nothing about others.

    It is `Refreshable`: an answer that is in use is renewed before it ends.

    Args:
        source: the endpoint, or a cache in front of it.
        memory: caches the answers.
        fresh_seconds: how long an answer is fresh (`authority_cache_time`).
        grace_seconds: how much longer it may be used while the endpoint does not answer.
        deadline_seconds: how long one call may take.
        rate: limits the calls about rationed bearers.
        wake: called when a renewal is wanted, so that `reload` is called before long.
        joined: counts the requests that share the call of another.
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
        joined: Count | None = None,
    ) -> None:
        self.source = source
        self.memory = memory
        self.recall = memory.use
        self._fresh_seconds = fresh_seconds
        self._usable_seconds = fresh_seconds + grace_seconds
        self._renew_ahead_seconds = max(1, int(fresh_seconds * _RENEW_IN_LAST_PART))
        # A call, and the wait for another request's call before it.
        self._longest_round_seconds = _ROUND_SECONDS + 2 * deadline_seconds
        self._flights: Flights[Authorization] = Flights(
            deadline_seconds, share_refusals=False, joined=joined
        )
        self.refused_at = RefusalTimes(self._usable_seconds)
        self._renewals = PerProcess(Renewals)
        self._rate = rate
        self._wake = wake

    def learn(self, bearer: Bearer, principal: Principal, answered_at: int) -> Authorization | None:
        """Take the authorization of a bearer from the endpoint's answer about a token.

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
        """Ask the endpoint, unless another request has just done so; see `Authority`."""
        return self._flights.run(bearer.key, functools.partial(self._renew, bearer, -1, now))

    def may_ask(self, bearer: Bearer, now: float) -> bool:
        """Tell whether the endpoint may be asked about one more bearer now."""
        return not bearer.is_rationed or self._rate.take(now)

    def _queue_renewal(self, bearer: Bearer, known: Authorization, now: float) -> None:
        if self._renewals.get().add(bearer, known, now):
            self._wake(self)

    @property
    def reload_at(self) -> float:
        """See `Refreshable`: the time since which a renewal waits.

        While renewals run, it is the latest time for their end: the endpoint may be slow, and no
        request is to wait for answers that only others may need.
        """
        return self._renewals.get().waiting_since

    def reload(self, now: float) -> None:
        """Do the waiting renewals, one call each; after a second, the others wait on."""
        renewals = self._renewals.get()
        began_at = time.monotonic()
        renewals.begin(now + self._longest_round_seconds)
        try:
            self._renew_waiting(renewals, now)
        finally:
            renewals.end(now + time.monotonic() - began_at)

    def _renew_waiting(self, renewals: Renewals, now: float) -> None:
        give_up_at = time.monotonic() + _ROUND_SECONDS
        while time.monotonic() < give_up_at and (waiting := renewals.take_one()) is not None:
            bearer, known = waiting
            if not self.may_ask(bearer, now):
                # The next request that uses it queues it again.
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
                # The endpoint does not answer. Known authorizations end in their own time; those
                # in use are queued again.
                renewals.clear()

    def _renew(self, bearer: Bearer, known_at: int, now: float) -> Authorization:
        """Return an authorization newer than `known_at`, from the endpoint if need be.

        Raises InvalidToken or IdentityUnavailable.
        """
        current = self.recall(bearer.key)
        if current is not None:
            if current.answered_at > known_at and now < current.fresh_until:
                return current  # another request has just renewed it
            known_at = max(known_at, current.answered_at)
        try:
            return ask_anew(_BearerSubject(self, bearer, known_at, now), now)
        except InvalidToken:
            bearer.note_refusal()
            raise

    def make_authorization(
        self, bearer: Bearer, principal: Principal, answered_at: int
    ) -> Authorization:
        """Return the authorization that the endpoint's answer gives a bearer."""
        fresh_until = answered_at + self._fresh_seconds
        return Authorization(
            principal,
            bearer.methods,
            bearer.thumbprint,
            answered_at,
            renew_from=fresh_until - self._renew_ahead_seconds,
            fresh_until=fresh_until,
            usable_until=answered_at + self._usable_seconds,
            renew=self._queue_renewal,
        )


class _BearerSubject:
    """A bearer to ask about, whose answer memory stores.

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
        # The refusal may concern the bearer: no earlier answer may be used in an outage. If it
        # concerns this token alone, the cost is one more call.
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
        # The expiry of the validated token does not limit it: the answer is about the bearer.
        return answer.usable_until

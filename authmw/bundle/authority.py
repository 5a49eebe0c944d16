"""Authority from a bundle: names and roles from facts on the local disk."""

from __future__ import annotations

from typing import cast

from authmw.authority.agreement import verify_agreement
from authmw.authority.authorization import Authorization
from authmw.authority.signed_bearer import SignedBearer
from authmw.bundle.in_force import BundleInForce
from authmw.bundle.revision import Evaluated, Revision, RevisionClosed
from authmw.cache.memory import MemoryCache
from authmw.errors import BundleUnreadable, FactUnknown, IdentityUnavailable, MalformedBody
from authmw.token import Principal


class BundleAuthority:
    """Evaluates the facts of the revision in force; see `authmw.authority.sources.Authority`.

    An answer is remembered under the facts that gave it, by their digest, and never used under
    others, nor after something ended by itself that it depends on, such as a trust.

    Args:
        bundle: has the revision in force.
        memory: of answers, by authority key.
        fresh_seconds: how long an answer is used (`authority_cache_time`).
        include_catalog: whether services get a token's catalog.
    """

    def __init__(
        self,
        bundle: BundleInForce,
        *,
        memory: MemoryCache[Authorization],
        fresh_seconds: int,
        include_catalog: bool,
    ) -> None:
        self._bundle = bundle
        self._memory = memory
        self._fresh_seconds = fresh_seconds
        self._include_catalog = include_catalog

    def recall(self, key: str) -> Authorization | None:
        """Return what the revision in force said last; see `Authority`."""
        known = self._memory.use(key)
        if known is None or known.revision is None or not self._bundle.stands(known.revision):
            return None
        return known

    def look_up(self, bearer: SignedBearer, now: float) -> Authorization:
        """Evaluate the facts; see `Authority`.

        Raises:
            InvalidToken: they deny the token.
            IdentityUnavailable: they don't say, are too old, or can't be read.
        """
        revision, evaluated = self._evaluate(bearer, now)
        try:
            principal = Principal.from_body(evaluated.body, evaluated.catalog)
        except MalformedBody as error:
            raise IdentityUnavailable(f"a row of the bundle can't be used: {error}") from error
        verify_agreement(principal, bearer.keystone)
        fresh_until = min(int(now) + self._fresh_seconds, self._bundle.usable_until(revision))
        if evaluated.ends_at is not None:
            fresh_until = min(fresh_until, evaluated.ends_at // 1_000_000)
        answer = Authorization(
            principal,
            bearer.methods,
            bearer.thumbprint,
            answered_at=int(now),
            renew_from=fresh_until,
            fresh_until=fresh_until,
            usable_until=fresh_until,
            revision=evaluated.name,
        )
        self._memory.put(bearer.key, answer)
        return answer

    def _evaluate(self, bearer: SignedBearer, now: float) -> tuple[Revision, Evaluated]:
        # Verified with the signature (`authmw.jose.registered_claims`).
        issued_at, expires_at = cast(int, bearer.claims["iat"]), cast(int, bearer.claims["exp"])
        while True:
            revision = self._bundle.current(now)
            try:
                evaluated = revision.evaluate(
                    bearer.keystone,
                    issued_at=issued_at,
                    expires_at=expires_at,
                    now=now,
                    with_catalog=self._include_catalog,
                )
            except RevisionClosed:
                continue  # another one is in force since
            except FactUnknown as unknown:
                raise IdentityUnavailable(
                    f"revision {revision.name} of the bundle does not say: {unknown}"
                ) from unknown
            except BundleUnreadable as error:
                raise IdentityUnavailable(str(error)) from error
            return revision, evaluated

"""Offline validation: a public key verifies the signature, an authority gives names and roles."""

from __future__ import annotations

import functools

from authmw.answers.refusal_times import RefusalTimes
from authmw.authority.authorization import Authorization
from authmw.authority.key import authority_key
from authmw.authority.keystone_claims import parse_strings
from authmw.authority.signed_bearer import SignedBearer
from authmw.authority.sources import Authority
from authmw.cache.digests import digest_text
from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import IdentityUnavailable
from authmw.jose.verifier import JwsVerifier, VerifiedJws
from authmw.revocation.facts import facts_of
from authmw.revocation.revocations import Revocations
from authmw.runtime.counts import Count
from authmw.token import Token


class OfflineValidator:
    """Verifies a compact JWS and makes the Token.

    Audit ids and times come from the token, all else from the authority; the user too, since in an
    impersonating trust `sub` is the trustee.

    Args:
        verifier: signature and registered claims.
        authority: names and roles.
        revocations: checked here before a token is sent to the identity endpoint. The caller has
            to check the Token against them as well (`authmw.revalidation`).
        refused_at: tokens that the identity endpoint refused, by digest; needed where no events
            are polled. Answers about other tokens of the bearer are not used for these.
        hits, misses: count the bearers whose names and roles are known, and those to look up.
    """

    def __init__(
        self,
        verifier: JwsVerifier,
        authority: Authority,
        revocations: Revocations,
        refused_at: RefusalTimes | None = None,
        *,
        hits: Count | None = None,
        misses: Count | None = None,
    ) -> None:
        self._verifier = verifier
        self._authority = authority
        self._revocations = revocations
        self._refused_at = refused_at
        self._hits, self._misses = hits or Count(), misses or Count()

    def validate(
        self,
        token: str,
        expiry_policy: ExpiryPolicy,  # noqa: ARG002
        now: float,
        known: Token | None,  # noqa: ARG002
    ) -> Token:
        """Validate one token; see `authmw.validation.validator.Validator`.

        An expired token is refused under either policy: only the identity endpoint can say
        whether it may still be used.
        """
        verified = self._verifier.verify(token, now)
        key, note_refusal = authority_key(verified.claims), _note_nothing
        if self._refused_at is not None:
            digest = digest_text(token)
            note_refusal = functools.partial(self._refused_at.note, digest, now)
            if self._refused_at.get(digest, -1) >= 0:
                key = f"{key} {digest.hex()}"  # A refused token gets answers of its own.
        authorization = self._authority.recall(key)
        if authorization is not None and now < authorization.fresh_until:
            self._hits.add()
        else:
            self._misses.add()
            bearer = SignedBearer(key, verified.claims, token, note_refusal)
            if authorization is not None:
                # This token is about to be sent to Keystone. If it is revoked, Keystone refuses
                # it and we would drop the answer about this bearer, so check our events first.
                # The roles that we know may be outdated.
                facts = facts_of(self._join(verified, authorization, now))
                self._revocations.verify_not_revoked(facts._replace(roles=()))
            authorization = self._authority.look_up(bearer, now)
            if authorization is None:
                raise IdentityUnavailable(
                    "no source of jws_authority has names and roles for this token"
                )
        validated = self._join(verified, authorization, now)
        if authorization.renew is not None and now >= authorization.renew_from:
            # The token is about to be sent to Keystone, as above.
            self._revocations.verify_events_complete(validated.issued_at, now)
            self._revocations.verify_not_revoked(facts_of(validated))
            bearer = SignedBearer(key, verified.claims, token, note_refusal)
            authorization.renew(bearer, authorization, now)
        return validated

    def _join(self, verified: VerifiedJws, authorization: Authorization, now: float) -> Token:
        """Make the Token of the verified claims and the bearer's authorization."""
        fresh_until = min(
            authorization.relied_on_until(now),
            self._revocations.fresh_until(now),
            verified.expires_at,
        )
        return Token.of_principal(
            authorization.principal,
            methods=authorization.methods,
            audit_ids=parse_strings(verified.claims, "openstack_audit_ids"),
            issued_at=verified.issued_at,
            expires_at=verified.expires_at,
            thumbprint=authorization.thumbprint,
            answered_at=int(now),
            fresh_until=fresh_until,
            usable_until=fresh_until,
            signed_by=verified.key.thumbprint,
            revision=authorization.revision,
        )


def _note_nothing() -> None:
    pass

"""Offline validation: a signature that one of our public keys verifies, and an authority."""

from __future__ import annotations

from dataclasses import replace

from authmw.authority import Answer, Question
from authmw.authority.claims_set import parse_audit_ids
from authmw.authority.key import authority_key
from authmw.authority.sources import AuthoritySources
from authmw.jose.verifier import JwsVerifier, VerifiedJws
from authmw.revocation.verdict import Revocations
from authmw.token import Token
from authmw.validation import Strength

# How soon a token is looked at again while its answer waits to be renewed, ahead of its time
# or, in an outage, past it.
_LOOK_AGAIN_SECONDS = 5


class OfflineValidator:
    """Verifies a compact JWS and assembles the Token.

    Methods, audit ids, times and thumbprint come from the token, all else from the
    authority's answer; the user too, since in an impersonating trust `sub` is the trustee.

    Args:
        verifier: signature and registered claims.
        authority: names and roles.
        revocations: nobody else judges these tokens, so without recent events they can't be
            accepted.
    """

    def __init__(
        self, verifier: JwsVerifier, authority: AuthoritySources, revocations: Revocations
    ) -> None:
        self._verifier = verifier
        self._authority = authority
        self._revocations = revocations

    def validate(self, token: str, strength: Strength, now: float) -> Token:  # noqa: ARG002
        """Validate one token; see `authmw.validation.Validator`.

        An expired token is refused, whatever the strength: whether it may still be used is
        the identity endpoint's to say.
        """
        verified = self._verifier.verify(token, now)
        key = authority_key(verified.claims)
        answer = self._authority.recall(key)
        if answer is None or now >= answer.fresh_until:
            if answer is not None:
                # Somebody is to be asked with this token. A revoked one would be refused, and
                # what is known of its bearer be forgotten with it.
                lasting = replace(answer, principal=replace(answer.principal, roles=()))
                self._revocations.verify_not_revoked(self._join(verified, lasting, now))
            answer = self._authority.look_up(Question(key, verified.claims, token), now)
        validated = self._join(verified, answer, now)
        self._revocations.verify_decidable(validated, now)
        if answer.renew is not None and now >= answer.renew_from:
            self._revocations.verify_not_revoked(validated)  # for the same reason
            answer.renew(Question(key, verified.claims, token), answer, now)
        return validated

    def _join(self, verified: VerifiedJws, answer: Answer, now: float) -> Token:
        """Put together what the token says and what its authority says."""
        fresh_until = min(
            _relied_on_until(answer, now),
            self._revocations.decidable_until(now),
            verified.expires_at,
        )
        return Token.of_principal(
            answer.principal,
            methods=answer.claims.methods,
            audit_ids=parse_audit_ids(verified.claims),
            issued_at=verified.issued_at,
            expires_at=verified.expires_at,
            thumbprint=answer.claims.thumbprint,
            fresh_until=fresh_until,
            usable_until=fresh_until,
        )


def _relied_on_until(answer: Answer, now: float) -> int:
    """Return up to when a Token made of this answer is used without another look.

    A token in memory never asks the authority, which learns only by being asked that an
    answer is in use: so the first look comes when renewing begins, and costs no more than
    verifying a signature.
    """
    if now < answer.renew_from:
        return answer.renew_from
    soon = int(now) + _LOOK_AGAIN_SECONDS
    return min(soon, answer.fresh_until if now < answer.fresh_until else answer.usable_until)

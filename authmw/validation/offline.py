"""Offline validation: a signature that one of our public keys verifies, and an authority."""

from __future__ import annotations

from dataclasses import replace

from authmw.authority import Answer, Question
from authmw.authority.claims_set import parse_audit_ids
from authmw.authority.key import authority_key
from authmw.authority.sources import AuthoritySources
from authmw.jose.verifier import JwsVerifier, VerifiedJws
from authmw.revocation.revocations import Revocations
from authmw.token import Token
from authmw.validation import Strength


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

    def validate(
        self,
        token: str,
        strength: Strength,  # noqa: ARG002
        now: float,
        known: Token | None,  # noqa: ARG002
    ) -> Token:
        """Validate one token; see `authmw.validation.Validator`.

        An expired token is refused, whatever the strength: whether it may still be used is
        the identity endpoint's to say.
        """
        verified = self._verifier.verify(token, now)
        key = authority_key(verified.claims)
        answer = self._authority.recall(key)
        if answer is None or now >= answer.fresh_until:
            if answer is not None:
                # This token is about to be sent to Keystone. If it is revoked, Keystone refuses
                # it and we would drop the answer about this bearer, so check our events first.
                roleless = replace(answer, principal=replace(answer.principal, roles=()))
                self._revocations.verify_not_revoked(self._join(verified, roleless, now))
            question = Question(key, verified.claims, token)
            answer = self._authority.look_up(question, now)
        validated = self._join(verified, answer, now)
        self._revocations.verify_decidable(validated, now)
        if answer.renew is not None and now >= answer.renew_from:
            self._revocations.verify_not_revoked(validated)  # for the same reason
            answer.renew(Question(key, verified.claims, token), answer, now)
        return validated

    def _join(self, verified: VerifiedJws, answer: Answer, now: float) -> Token:
        """Put together what the token says and what its authority says."""
        fresh_until = min(
            answer.relied_on_until(now),
            self._revocations.decidable_until(now),
            verified.expires_at,
        )
        return Token.of_principal(
            answer.principal,
            methods=answer.methods,
            audit_ids=parse_audit_ids(verified.claims),
            issued_at=verified.issued_at,
            expires_at=verified.expires_at,
            thumbprint=answer.thumbprint,
            answered_at=int(now),
            fresh_until=fresh_until,
            usable_until=fresh_until,
            signed_by=verified.key.thumbprint,
        )

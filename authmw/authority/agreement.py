"""Verifies that an answer is about the bearer that the token names."""

from __future__ import annotations

from authmw.authority.keystone_claims import KeystoneClaims
from authmw.errors import IdentityUnavailable
from authmw.token import DomainScope, Principal, ProjectScope, SystemScope


def verify_agreement(principal: Principal, claims: KeystoneClaims) -> None:
    """Refuse an answer that names another user or scope than the signed claims.

    The claims are signed, and the answer came over the network or from a file. So a difference is
    a fault of the source, not of the token.

    Raises:
        IdentityUnavailable: they differ.
    """
    trust = principal.trust
    user_id = principal.user.id if trust is None else trust.trustee_id
    if user_id != claims.user_id:
        raise IdentityUnavailable("the answer is about another user than the token")
    if trust is not None:
        bearer = trust.trustor_id if trust.impersonation else trust.trustee_id
        if principal.user.id != bearer:
            raise IdentityUnavailable("the answer's user is not the one its trust gives")
    if (None if trust is None else trust.id) != claims.trust_id:
        raise IdentityUnavailable("the answer is about another trust than the token")
    if principal.application_credential_id != claims.application_credential_id:
        raise IdentityUnavailable("the answer is about another application credential")
    oauth1 = principal.oauth1
    if (None if oauth1 is None else oauth1.access_token_id) != claims.access_token_id:
        raise IdentityUnavailable("the answer is about another OAuth1 access token")
    scope = principal.scope
    answered = (
        scope.id if isinstance(scope, ProjectScope) else None,
        scope.id if isinstance(scope, DomainScope) else None,
        isinstance(scope, SystemScope),
    )
    if answered != (claims.project_id, claims.domain_id, claims.system):
        raise IdentityUnavailable("the answer is about another scope than the token")

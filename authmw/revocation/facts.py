"""What of a token revocation events speak of."""

from __future__ import annotations

from typing import NamedTuple

from authmw.token import DomainScope, ProjectScope, Token


class RevocationFacts(NamedTuple):
    """The part of a token that decides whether an event covers it; None where it has none.

    A named tuple, since it is made for every check and a frozen dataclass takes three times
    as long to make.

    Attributes:
        trustor_id, trustee_id: users of the trust the token was issued under.
        domain_scope_id: the domain the token is scoped to; never a project's domain.
        audit_chain_id: the audit id of the first token of the chain; of the token itself
            where it was not exchanged for another.
        issued_at, expires_at: epoch seconds, truncated.
    """

    user_id: str
    user_domain_id: str | None
    trust_id: str | None
    trustor_id: str | None
    trustee_id: str | None
    project_id: str | None
    domain_scope_id: str | None
    role_ids: tuple[str | None, ...]
    audit_id: str | None
    audit_chain_id: str | None
    consumer_id: str | None
    access_token_id: str | None
    issued_at: int
    expires_at: int


def facts_of(token: Token) -> RevocationFacts:
    """Return what events can say about a token."""
    principal = token.principal
    user, scope, trust, oauth1 = (
        principal.user,
        principal.scope,
        principal.trust,
        principal.oauth1,
    )
    audit_ids = token.audit_ids
    return RevocationFacts(
        user.id,
        user.domain_id,
        None if trust is None else trust.id,
        None if trust is None else trust.trustor_id,
        None if trust is None else trust.trustee_id,
        scope.id if isinstance(scope, ProjectScope) else None,
        scope.id if isinstance(scope, DomainScope) else None,
        tuple([role.id for role in principal.roles]),
        audit_ids[0] if audit_ids else None,
        audit_ids[-1] if audit_ids else None,
        None if oauth1 is None else oauth1.consumer_id,
        None if oauth1 is None else oauth1.access_token_id,
        token.issued_at,
        token.expires_at,
    )

"""What of a token revocation events speak of."""

from __future__ import annotations

from typing import NamedTuple

from authmw.token import DomainScope, ProjectScope, Token

_Ids = tuple[str | None, ...]
_NONE: _Ids = ()


class RevocationFacts(NamedTuple):
    """The part of a token that decides whether an event covers it.

    Each member but the last is all that meets one attribute of events, in the order of the
    rule table; empty where the token has no such thing.

    A named tuple, since it is made for every check and a frozen dataclass takes three times
    as long to make.

    Attributes:
        users: the user, and trustor and trustee of the trust it was issued under.
        domains: the user's and the one the token is scoped to; never a project's domain.
        audit: the token's own audit id.
        audit_chain: that of the first token of the chain; the token's own where it was not
            exchanged for another.
        expires_at: epoch seconds, truncated.
        issued_at: epoch seconds, truncated.
    """

    users: _Ids
    project: _Ids
    domains: _Ids
    domain_scope: _Ids
    audit: _Ids
    audit_chain: _Ids
    roles: _Ids
    trust: _Ids
    consumer: _Ids
    access_token: _Ids
    expires_at: tuple[int]
    issued_at: int


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
    domain_scope = (scope.id,) if isinstance(scope, DomainScope) else _NONE
    # By position: that takes half the time.
    return RevocationFacts(
        (user.id,) if trust is None else (user.id, trust.trustor_id, trust.trustee_id),
        (scope.id,) if isinstance(scope, ProjectScope) else _NONE,
        (user.domain_id, *domain_scope),
        domain_scope,
        audit_ids[:1],
        audit_ids[-1:],
        tuple([role.id for role in principal.roles]),
        _NONE if trust is None else (trust.id,),
        _NONE if oauth1 is None else (oauth1.consumer_id,),
        _NONE if oauth1 is None else (oauth1.access_token_id,),
        (token.expires_at,),
        token.issued_at,
    )

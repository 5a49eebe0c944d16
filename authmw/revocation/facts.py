"""The token fields that revocation events can match."""

from __future__ import annotations

from typing import NamedTuple

from authmw.token import DomainScope, ProjectScope, Token

_Ids = tuple[str | None, ...]
_NONE: _Ids = ()
_UNKNOWN: _Ids = (None,)


class RevocationFacts(NamedTuple):
    """The part of a token that decides whether an event covers it.

    Each member but the last holds the values that match one attribute of events, in the order
    of the rule table. It is empty where the token has no such value. None stands for a value that
    the token has and that we don't know: it matches every value of an event.

    It is a named tuple, since every check makes one and a frozen dataclass takes three times as
    long to make.

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
    """Return the fields of a token that events can match."""
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
        (user.domain_id or None, *domain_scope),
        domain_scope,
        audit_ids[:1] or _UNKNOWN,
        audit_ids[-1:] or _UNKNOWN,
        tuple([role.id or None for role in principal.roles]),
        _NONE if trust is None else (trust.id,),
        _NONE if oauth1 is None else (oauth1.consumer_id or None,),
        _NONE if oauth1 is None else (oauth1.access_token_id or None,),
        (token.expires_at,),
        token.issued_at,
    )

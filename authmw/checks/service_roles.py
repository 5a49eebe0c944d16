"""Service roles (`service_token_roles`): a token with one of them is a service's own."""

from __future__ import annotations

from typing import Final

from authmw.token import Token

ONLY_KEYSTONE: Final[frozenset[str | None]] = frozenset({None})
"""What `Token.issuer` says of tokens of Keystone."""


def has_service_role(token: Token, service_roles: frozenset[str]) -> bool:
    """Tell whether a token has one of the service roles (role names)."""
    return any(role.name in service_roles for role in token.roles)


def speaks_for(service: Token, user: Token, keystones: frozenset[str | None]) -> bool:
    """Tell whether what holds for a user's token alone is lifted beside a service token.

    Otherwise one issuer that hands out a service role would lift what protects the tokens of all
    others: their access rules and their bindings.

    Args:
        service: a token with a service role.
        user: whose access rules and binding it would lift.
        keystones: what `Token.issuer` says of tokens of Keystone and what stands for it.
    """
    return service.issuer in keystones or service.issuer == user.issuer

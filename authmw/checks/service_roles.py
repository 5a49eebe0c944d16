"""Service roles: what makes a valid token a service's own."""

from __future__ import annotations

from authmw.token import Token


def has_service_role(token: Token, service_roles: frozenset[str]) -> bool:
    """Tell whether the token has one of `service_token_roles` (role names)."""
    return any(role.name in service_roles for role in token.roles)

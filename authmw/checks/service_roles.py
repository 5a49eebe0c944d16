"""Service roles (`service_token_roles`): a token with one of them is a service's own."""

from __future__ import annotations

from authmw.token import Token


def has_service_role(token: Token, service_roles: frozenset[str]) -> bool:
    """Tell whether a token has one of the service roles (role names)."""
    return any(role.name in service_roles for role in token.roles)

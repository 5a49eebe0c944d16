"""The token: its record, parts and body, the header contract, the catalog."""

from authmw.token.record import (
    DomainScope,
    OAuth1Access,
    Principal,
    ProjectScope,
    Role,
    Scope,
    SystemScope,
    Token,
    Trust,
    Unscoped,
    User,
    parse_time,
    render_time,
)

__all__ = [
    "DomainScope",
    "OAuth1Access",
    "Principal",
    "ProjectScope",
    "Role",
    "Scope",
    "SystemScope",
    "Token",
    "Trust",
    "Unscoped",
    "User",
    "parse_time",
    "render_time",
]

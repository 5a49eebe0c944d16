"""The parts of a token: user, roles, scope, and the delegation it was issued under.

An absent member is None. A token has exactly one scope, so that the type checker finds a missing
case.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """The user a token speaks for.

    Attributes:
        id, name: of the user; an issuer may not say the name.
        domain_id, domain_name: of the user's domain.
    """

    id: str
    name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """One role of the token on its scope.

    Attributes:
        id: None where an issuer gives names alone.
        name: as in X-Roles.
    """

    id: str | None
    name: str


@dataclass(frozen=True, slots=True)
class ProjectScope:
    """The token is for one project.

    Attributes:
        id, name: of the project.
        domain_id, domain_name: of the domain that the project is in.
        is_domain: whether the project acts as a domain (Identity API v3, "Projects").
    """

    id: str
    name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None
    is_domain: bool = False


@dataclass(frozen=True, slots=True)
class DomainScope:
    """The token is for one domain.

    Attributes:
        id, name: of the domain.
    """

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SystemScope:
    """The token is for the deployment as a whole (`all`, the only system scope there is)."""


@dataclass(frozen=True, slots=True)
class Unscoped:
    """The token identifies the user and grants nothing."""


Scope = ProjectScope | DomainScope | SystemScope | Unscoped


@dataclass(frozen=True, slots=True)
class Trust:
    """The trust a token was issued under (Identity API v3, OS-TRUST)."""

    id: str
    trustor_id: str
    trustee_id: str
    impersonation: bool


@dataclass(frozen=True, slots=True)
class OAuth1Access:
    """The OAuth1 delegation a token was issued under (Identity API v3, OS-OAUTH1)."""

    consumer_id: str
    access_token_id: str

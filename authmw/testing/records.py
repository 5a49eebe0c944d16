"""The rows of the directory: users, projects, roles, assignments and grants.

Names follow the Identity API v3. Rows refer to each other by id, never by name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Domain:
    """A container of users and projects."""

    id: str
    name: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Project:
    """What most tokens are scoped to."""

    id: str
    name: str
    domain_id: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """A user, who authenticates with a password."""

    id: str
    name: str
    domain_id: str
    password: str
    default_project_id: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Role:
    """A role; it implies the roles in `implies` (ids)."""

    id: str
    name: str
    implies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnProject:
    """A project as the target of an assignment or the scope of a token."""

    project_id: str


@dataclass(frozen=True, slots=True)
class OnDomain:
    """A domain as the target of an assignment or the scope of a token."""

    domain_id: str


@dataclass(frozen=True, slots=True)
class OnSystem:
    """The deployment as a whole."""


Target = OnProject | OnDomain | OnSystem


@dataclass(frozen=True, slots=True)
class Assignment:
    """One user holds one role on one target."""

    user_id: str
    role_id: str
    target: Target


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One kind of request that an application credential allows."""

    service: str
    method: str
    path: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class ApplicationCredential:
    """A user's own credential for one project.

    `access_rules` is None if requests are not restricted; an empty tuple allows none.
    """

    id: str
    name: str
    secret: str
    user_id: str
    project_id: str
    role_ids: tuple[str, ...]
    access_rules: tuple[AccessRule, ...] | None = None
    unrestricted: bool = False


@dataclass(frozen=True, slots=True)
class Trust:
    """A trustor lets a trustee use some of its roles, as itself or as the trustor."""

    id: str
    trustor_user_id: str
    trustee_user_id: str
    project_id: str
    role_ids: tuple[str, ...]
    impersonation: bool


@dataclass(frozen=True, slots=True)
class OAuth1Access:
    """An OAuth1 access token: lets a consumer act for a user on one project."""

    id: str
    consumer_id: str
    user_id: str
    project_id: str
    role_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """The user, scope and times of one issued token.

    `user_id` is the user who authenticated: with a trust, the trustee. Times are epoch seconds.
    `target` is None for an unscoped token. `audit_ids` holds the token's own id and, when
    it was made from another token, the id of the first in that chain.
    """

    user_id: str
    target: Target | None
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: int
    expires_at: int
    trust_id: str | None = None
    application_credential_id: str | None = None
    oauth1_access_id: str | None = None
    certificate_thumbprint: str | None = None

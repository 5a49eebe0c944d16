"""What the evaluation of a token asks of a bundle: records, and the reader that finds them.

Identifiers are packed (`authmw.bundle.facts.pack_id`): a look-up compares and never shows them.
Columns mean what `authmw.bundle.facts.TABLES` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from authmw.bundle.evaluate.catalog import SiteCatalog

# A packed identifier.
Id = bytes | str


class Project(NamedTuple):
    """A project, or a domain: a domain has no domain of its own."""

    id: Id
    name: str
    domain_id: Id | None
    parent_id: Id | None
    enabled: bool
    is_domain: bool


class User(NamedTuple):
    """A user; times in microseconds since 1970."""

    id: Id
    name: str | None
    domain_id: Id
    enabled: bool
    disabled_from: int | None
    password_expires_at: int | None
    is_resolved: bool


class Role(NamedTuple):
    """A role; `extra` has the members that some tokens show besides its id and name."""

    id: Id
    name: str
    domain_id: Id | None
    extra: Mapping[str, Any]


class Trust(NamedTuple):
    """A trust that was not deleted, with the roles that it delegates."""

    id: Id
    trustor_user_id: Id
    trustee_user_id: Id
    project_id: Id | None
    impersonation: bool
    expires_at: int | None
    remaining_uses: int | None
    redelegated_trust_id: Id | None
    redelegation_count: int | None
    role_ids: frozenset[Id]


class AccessRule(NamedTuple):
    """One request that an application credential allows."""

    id: Id
    service: str
    path: str
    method: str


class ApplicationCredential(NamedTuple):
    """An application credential, with the roles that it delegates and the rules it is held to."""

    id: Id
    name: str
    user_id: Id
    project_id: Id | None
    unrestricted: bool
    expires_at: int | None
    role_ids: frozenset[Id]
    access_rules: tuple[AccessRule, ...]


class AccessToken(NamedTuple):
    """An access token of OAuth1, with the roles that it delegates."""

    id: Id
    consumer_id: Id
    authorizing_user_id: Id
    project_id: Id
    role_ids: frozenset[Id]


class ServiceProvider(NamedTuple):
    """A service provider that is enabled."""

    id: Id
    auth_url: str
    sp_url: str


class Service(NamedTuple):
    """A service that is enabled."""

    id: Id
    type: str | None
    name: str


class Endpoint(NamedTuple):
    """An endpoint, enabled or not, of any service."""

    id: Id
    service_id: Id
    interface: str
    region_id: Id | None
    url: str
    enabled: bool
    extra: Mapping[str, Any]


class EndpointFilter(NamedTuple):
    """What limits the catalog of one project; both empty: nothing does."""

    endpoint_ids: frozenset[Id]
    group_ids: frozenset[Id]


class Actors(NamedTuple):
    """Whose assignments are asked for.

    Attributes:
        user_id: a user, with all of its groups; None: the groups of `group_ids` alone.
        now: when the user is in its groups, microseconds since 1970.
    """

    user_id: Id | None
    group_ids: tuple[Id, ...]
    now: int


class Inheritance(NamedTuple):
    """What a project inherits from what is above it.

    Attributes:
        assignments: (actor, 1 if it is a group, role) of each.
        groups: the groups among these actors.
        targets: the projects and domains with more inherited assignments than are kept in
            `assignments`; those of one user are sought when they are asked for.
    """

    assignments: tuple[tuple[Id, int, Id], ...]
    groups: tuple[Id, ...]
    targets: tuple[Id, ...]


class Scope(NamedTuple):
    """A project with what is above it.

    Attributes:
        path: the project and its ancestors, from the project up to its domain.
        inherited: from the ancestors.
    """

    path: tuple[Project, ...]
    inherited: Inheritance


class FactsReader(Protocol):
    """One revision of a bundle. Methods are point look-ups; absent is None or empty.

    Every method raises BundleUnreadable if the file can't be read, or a row has another form.

    Attributes:
        read_at: epoch seconds: the facts are those of this time, or of one shortly before.
        settings: by name; see `authmw.bundle.facts.SETTINGS`.
        roles: all roles, by id.
        implied_roles: by the id of a role, the ids of those that it implies directly.
        catalog: of the whole site; it makes those of tokens.
        service_providers: all that are enabled.
    """

    @property
    def read_at(self) -> int: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def roles(self) -> Mapping[Id, Role]: ...
    @property
    def implied_roles(self) -> Mapping[Id, Sequence[Id]]: ...
    @property
    def catalog(self) -> SiteCatalog: ...
    @property
    def service_providers(self) -> Sequence[ServiceProvider]: ...

    def user(self, user_id: Id) -> User | None: ...
    def project(self, project_id: Id) -> Project | None: ...
    def scope(self, project_id: Id) -> Scope: ...
    def groups_of(self, user_id: Id, now: int) -> list[Id]: ...
    def membership_end(self, user_id: Id, now: int) -> int | None: ...
    def roles_on_project(self, scope: Scope, actors: Actors) -> set[Id]:
        """Return the roles that are assigned on a project itself, or inherited from above it."""

    def roles_on_domain(self, domain_id: Id, actors: Actors) -> set[Id]:
        """Return the roles that are assigned on a domain itself."""

    def system_roles(self, user_id: Id | None, group_ids: Iterable[Id]) -> set[Id]: ...
    def trust(self, trust_id: Id) -> Trust | None: ...
    def application_credential(self, credential_id: Id) -> ApplicationCredential | None: ...
    def access_token(self, token_id: Id) -> AccessToken | None: ...
    def has_identity_provider(self, provider_id: Id) -> bool: ...
    def endpoint_filter(self, project_id: Id) -> EndpointFilter: ...

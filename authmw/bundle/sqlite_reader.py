"""Reads the facts of one revision from its SQLite file: point look-ups, and the small tables whole.

Roles, the catalog and the settings are read once; users, projects, memberships, assignments and
delegations are looked up, so a worker holds nothing of them in memory but pages of the file.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from authmw.bundle.evaluate.catalog import SiteCatalog
from authmw.bundle.facts import FILTERS, SETTINGS
from authmw.bundle.records import (
    AccessRule,
    AccessToken,
    Actors,
    ApplicationCredential,
    Endpoint,
    EndpointFilter,
    Id,
    Project,
    Role,
    Scope,
    Service,
    ServiceProvider,
    Trust,
    User,
)
from authmw.errors import BundleUnreadable

# Far more than Keystone's `max_project_tree_depth`; facts with a circle end here.
_DEEPEST_TREE = 64
# Domains and projects that are kept in memory, some 500 bytes each.
_MOST_NODES = 10_000

# Inherited assignments on one of them that are kept as well; of more, those of a user are sought.
_MOST_INHERITED = 8

_USER = """
SELECT id, name, domain_id, enabled, disabled_from, password_expires_at, is_resolved
FROM users WHERE id = ?"""
# A project or domain, and whether anything is inherited from it.
_PROJECT = """
SELECT id, name, domain_id, parent_id, enabled, is_domain, EXISTS (
    SELECT 1 FROM assignments WHERE target_id = ?1 AND inherited = 1
) FROM projects WHERE id = ?1"""
_GROUPS = "SELECT group_id FROM memberships WHERE user_id = ?"
_EXPIRING_GROUPS = """
SELECT DISTINCT group_id FROM expiring_memberships WHERE user_id = ? AND expires_at > ?"""
# ?1 is the target, ?2 the user, ?3 the time.
_USER_ROLES = """
SELECT role_id FROM assignments WHERE target_id = ?1 AND inherited = {inherited}
AND actor_id = ?2 AND actor_is_group = 0{is_domain}
UNION ALL
SELECT a.role_id FROM memberships AS m CROSS JOIN assignments AS a
WHERE m.user_id = ?2 AND a.target_id = ?1 AND a.inherited = {inherited}
AND a.actor_id = m.group_id AND a.actor_is_group = 1{is_domain}"""
_EXPIRING_USER_ROLES = """
UNION ALL
SELECT a.role_id FROM expiring_memberships AS m CROSS JOIN assignments AS a
WHERE m.user_id = ?2 AND m.expires_at > ?3 AND a.target_id = ?1 AND a.inherited = {inherited}
AND a.actor_id = m.group_id AND a.actor_is_group = 1{is_domain}"""
_GROUP_ROLES = """
SELECT role_id FROM assignments WHERE target_id = ?1 AND inherited = {inherited}
AND actor_id = ?2 AND actor_is_group = 1{is_domain}"""


class _Assigned(NamedTuple):
    """The statements for one kind of assignments."""

    of_user: str
    of_user_with_expiring: str
    of_group: str

    @classmethod
    def make(cls, inherited: int, is_domain: str) -> _Assigned:
        statements = (_USER_ROLES, _USER_ROLES + _EXPIRING_USER_ROLES, _GROUP_ROLES)
        return cls(*[each.format(inherited=inherited, is_domain=is_domain) for each in statements])


_ON_PROJECT = _Assigned.make(0, " AND target_is_domain = 0")
_ON_DOMAIN = _Assigned.make(0, " AND target_is_domain = 1")
# From a domain, and from the project that acts as it.
_INHERITED = _Assigned.make(1, "")
_INHERITED_FROM = f"""
SELECT actor_id, actor_is_group, role_id FROM assignments
WHERE target_id = ? AND inherited = 1 LIMIT {_MOST_INHERITED + 1}"""  # noqa: S608
_SYSTEM = "SELECT role_id FROM system_assignments WHERE actor_id = ? AND actor_is_group = ?"
_TRUST = """
SELECT id, trustor_user_id, trustee_user_id, project_id, impersonation, expires_at, remaining_uses,
    redelegated_trust_id, redelegation_count
FROM trusts WHERE id = ?"""
_CREDENTIAL = """
SELECT id, name, user_id, project_id, unrestricted, expires_at
FROM application_credentials WHERE id = ?"""
_RULES = """
SELECT id, service, path, method
FROM application_credential_access_rules WHERE application_credential_id = ?"""
_ACCESS_TOKEN = """
SELECT id, consumer_id, authorizing_user_id, project_id FROM access_tokens WHERE id = ?"""
_MEMBERSHIP_END = """
SELECT MIN(expires_at) FROM expiring_memberships WHERE user_id = ? AND expires_at > ?"""


class _Node(NamedTuple):
    """A project or domain, and whether assignments on it are inherited.

    Attributes:
        inherited: those assignments (actor, whether it is a group, role); None: they are many.
    """

    project: Project
    is_inherited_from: bool
    inherited: tuple[tuple[Id, int, Id], ...] | None


class SqliteFacts:
    """The facts of one revision; a `FactsReader`. Threads may share it if they may the connection.

    Args:
        connection: to the file, read-only. It must show one revision for as long as this lives.
        read_at: epoch seconds: the time that the facts are of; a later revision with the same
            facts may be confirmed.

    Raises:
        BundleUnreadable: it has no such tables, or rows of another form.
    """

    def __init__(self, connection: sqlite3.Connection, read_at: int) -> None:
        self._connection = connection
        self.read_at = read_at
        # Domains, and projects with others below them: few, and on the path of many.
        self._nodes: dict[Id, _Node] = {}
        try:
            self._load()
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # SQLite holds values of any type in any column.
            raise _unreadable(error) from error

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Any]:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def _row(self, statement: str, identifier: Id) -> Any:
        """Return the row of one identifier, or None."""
        rows = self._rows(statement, (identifier,))
        return rows[0] if rows else None

    def _load(self) -> None:
        execute = self._rows
        self.settings: Mapping[str, Any] = {
            name: _read_setting(name, value)
            for name, value in execute("SELECT name, value FROM settings")
        }
        self.roles: Mapping[Id, Role] = {
            row[0]: Role._make((*row[:3], json.loads(row[3])))
            for row in execute("SELECT id, name, domain_id, extra FROM roles")
        }
        implied: dict[Id, list[Id]] = {}
        for prior, role_id in execute("SELECT prior_role_id, implied_role_id FROM implied_roles"):
            implied.setdefault(prior, []).append(role_id)
        self.implied_roles: Mapping[Id, Sequence[Id]] = implied
        services = execute("SELECT id, type, name FROM services WHERE enabled")
        endpoints = execute(
            "SELECT id, service_id, interface, region_id, url, enabled, extra FROM endpoints"
        )
        self.catalog = SiteCatalog(
            [Service._make(row) for row in services],
            [Endpoint._make((*row[:5], bool(row[5]), json.loads(row[6]))) for row in endpoints],
            {
                group_id: json.loads(filters)
                for group_id, filters in execute("SELECT id, filters FROM endpoint_groups")
            },
            self.settings,
        )
        self.service_providers: Sequence[ServiceProvider] = [
            ServiceProvider._make(row)
            for row in execute("SELECT id, auth_url, sp_url FROM service_providers WHERE enabled")
        ]
        self._has_expiring = self._has_rows("expiring_memberships")
        self._has_endpoint_filters = self._has_rows("project_endpoints") or self._has_rows(
            "project_endpoint_groups"
        )

    def _has_rows(self, table: str) -> bool:
        return bool(self._rows(f"SELECT 1 FROM {table} LIMIT 1"))  # noqa: S608

    def user(self, user_id: Id) -> User | None:
        row = self._row(_USER, user_id)
        return None if row is None else User._make(row)

    def project(self, project_id: Id) -> Project | None:
        node = self._node(project_id, is_shared=True)
        return None if node is None else node.project

    def scope(self, project_id: Id) -> Scope:
        path: list[Project] = []
        inherits_from: list[Id] = []
        next_id: Id | None = project_id
        while next_id is not None and len(path) < _DEEPEST_TREE:
            node = self._node(next_id, is_shared=bool(path))
            if node is None:
                break
            if path and node.is_inherited_from:
                inherits_from.append(next_id)
            path.append(node.project)
            next_id = node.project.parent_id
        return Scope(tuple(path), tuple(inherits_from))

    def _node(self, project_id: Id, *, is_shared: bool) -> _Node | None:
        node = self._nodes.get(project_id)
        if node is None:
            row = self._row(_PROJECT, project_id)
            if row is None:
                return None
            project = Project(row[0], row[1], row[2], row[3], row[4] == 1, row[5] == 1)
            inherited: tuple[tuple[Id, int, Id], ...] | None = ()
            if is_shared and row[6]:
                found = self._rows(_INHERITED_FROM, (project_id,))
                inherited = tuple(found) if len(found) <= _MOST_INHERITED else None
            node = _Node(project, row[6] == 1, inherited)
            if is_shared and len(self._nodes) < _MOST_NODES:
                self._nodes[project_id] = node
        return node

    def groups_of(self, user_id: Id, now: int) -> list[Id]:
        groups = [row[0] for row in self._rows(_GROUPS, (user_id,))]
        if self._has_expiring:
            groups += [row[0] for row in self._rows(_EXPIRING_GROUPS, (user_id, now))]
        return groups

    def direct_roles(self, target_id: Id, actors: Actors, *, target_is_domain: bool) -> set[Id]:
        return self._assigned(target_id, actors, _ON_DOMAIN if target_is_domain else _ON_PROJECT)

    def inherited_roles(self, target_ids: Iterable[Id], actors: Actors) -> set[Id]:
        roles: set[Id] = set()
        groups: frozenset[Id] | None = None
        for target_id in target_ids:
            node = self._nodes.get(target_id)
            if node is None or node.inherited is None:
                roles |= self._assigned(target_id, actors, _INHERITED)
                continue
            if groups is None:
                groups = self._group_ids(actors)
            for actor_id, is_group, role_id in node.inherited:
                if actor_id in groups if is_group else actor_id == actors.user_id:
                    roles.add(role_id)
        return roles

    def _group_ids(self, actors: Actors) -> frozenset[Id]:
        if actors.user_id is None:
            return frozenset(actors.group_ids)
        return frozenset(self.groups_of(actors.user_id, actors.now))

    def _assigned(self, target_id: Id, actors: Actors, statements: _Assigned) -> set[Id]:
        user_id = actors.user_id
        if user_id is None:
            return {
                row[0]
                for group_id in actors.group_ids
                for row in self._rows(statements.of_group, (target_id, group_id))
            }
        if self._has_expiring:
            rows = self._rows(statements.of_user_with_expiring, (target_id, user_id, actors.now))
        else:
            rows = self._rows(statements.of_user, (target_id, user_id))
        return {row[0] for row in rows}

    def system_roles(self, user_id: Id | None, group_ids: Iterable[Id]) -> set[Id]:
        actors = [(each, 1) for each in group_ids]
        if user_id is not None:
            actors.append((user_id, 0))
        return set(
            itertools.chain.from_iterable(
                row for actor in actors for row in self._rows(_SYSTEM, actor)
            )
        )

    def trust(self, trust_id: Id) -> Trust | None:
        row = self._row(_TRUST, trust_id)
        if row is None:
            return None
        roles = self._roles("trust_roles", "trust_id", trust_id)
        return Trust._make((*row[:4], bool(row[4]), *row[5:], roles))

    def application_credential(self, credential_id: Id) -> ApplicationCredential | None:
        row = self._row(_CREDENTIAL, credential_id)
        if row is None:
            return None
        id_column = "application_credential_id"
        roles = self._roles("application_credential_roles", id_column, credential_id)
        rules = tuple(AccessRule._make(rule) for rule in self._rows(_RULES, (credential_id,)))
        return ApplicationCredential._make((*row, roles, rules))

    def access_token(self, token_id: Id) -> AccessToken | None:
        row = self._row(_ACCESS_TOKEN, token_id)
        if row is None:
            return None
        roles = self._roles("access_token_roles", "access_token_id", token_id)
        return AccessToken._make((*row, roles))

    def _roles(self, table: str, column: str, identifier: Id) -> frozenset[Id]:
        statement = f"SELECT role_id FROM {table} WHERE {column} = ?"  # noqa: S608
        return frozenset(row[0] for row in self._rows(statement, (identifier,)))

    def has_identity_provider(self, provider_id: Id) -> bool:
        statement = "SELECT 1 FROM identity_providers WHERE id = ?"
        return self._row(statement, provider_id) is not None

    def membership_end(self, user_id: Id, now: int) -> int | None:
        if not self._has_expiring:
            return None
        end = self._rows(_MEMBERSHIP_END, (user_id, now))[0][0]
        if end is not None and type(end) is not int:
            raise BundleUnreadable("a membership ends at no time")
        return end

    def endpoint_filter(self, project_id: Id) -> EndpointFilter:
        if not self._has_endpoint_filters:
            return EndpointFilter(frozenset(), frozenset())
        endpoints = "SELECT endpoint_id FROM project_endpoints WHERE project_id = ?"
        groups = "SELECT endpoint_group_id FROM project_endpoint_groups WHERE project_id = ?"
        return EndpointFilter(
            frozenset(row[0] for row in self._rows(endpoints, (project_id,))),
            frozenset(row[0] for row in self._rows(groups, (project_id,))),
        )

    def revocation_events(self) -> list[Any]:
        """Return all events, as `authmw.revocation.events.parse_event` takes them."""
        return [json.loads(row[0]) for row in self._rows("SELECT event FROM revocation_events")]


def _read_setting(name: str, text: str) -> Any:
    """Read a setting; raises ValueError. One that is misread could widen what a token may do."""
    value = json.loads(text)
    if type(value) is not SETTINGS.get(name, type(value)):
        raise ValueError(f"the setting {name!r} is {type(value).__name__}")
    if name == "filter":
        _verify_filter(value)
    return value


def _verify_filter(chosen: Any) -> None:
    """Verify that a filter is one that we know: what it leaves out would be denied otherwise."""
    for name, ids in chosen.items():
        if name not in FILTERS or type(ids) is not list or {*map(type, ids)} - {str}:
            raise ValueError(f"the filter {name!r} is unknown, or no list of ids")


def _unreadable(error: Exception) -> BundleUnreadable:
    return BundleUnreadable(f"the bundle can't be read: {error}")

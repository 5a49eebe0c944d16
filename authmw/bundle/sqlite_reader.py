"""Reads the facts of one revision from its SQLite file: point look-ups, and the small tables whole.

Roles, the catalog and the settings are read once; users, projects, memberships, assignments and
delegations are looked up, so a worker holds nothing of them in memory but pages of the file.
"""

from __future__ import annotations

import functools
import itertools
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from authmw.bundle.records import (
    AccessRule,
    AccessToken,
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
# Groups of one statement.
_MOST_GROUPS = 256

_USER = """
SELECT id, name, domain_id, enabled, disabled_from, password_expires_at, is_resolved
FROM users WHERE id = ?"""
_PROJECT = "SELECT id, name, domain_id, parent_id, enabled, is_domain FROM projects WHERE id = ?"
# The path of a project, with whether anything is inherited from each of it.
_PATH = f"""
WITH RECURSIVE path(id, name, domain_id, parent_id, enabled, is_domain, depth) AS (
    SELECT id, name, domain_id, parent_id, enabled, is_domain, 0 FROM projects WHERE id = ?
    UNION ALL
    SELECT p.id, p.name, p.domain_id, p.parent_id, p.enabled, p.is_domain, path.depth + 1
    FROM path CROSS JOIN projects AS p ON p.id = path.parent_id
    WHERE path.depth < {_DEEPEST_TREE}
)
SELECT id, name, domain_id, parent_id, enabled, is_domain, EXISTS (
    SELECT 1 FROM assignments WHERE target_id = path.id AND inherited = 1
) FROM path"""  # noqa: S608
_GROUPS = "SELECT group_id FROM memberships WHERE user_id = ?"
_EXPIRING_GROUPS = """
SELECT DISTINCT group_id FROM expiring_memberships WHERE user_id = ? AND expires_at > ?"""
_ASSIGNED = """
SELECT role_id FROM assignments WHERE target_id = ?1 AND inherited = {inherited}
AND actor_id = ?2 AND actor_is_group = 0 AND target_is_domain {is_domain}"""
_ASSIGNED_TO_GROUPS = """
SELECT role_id FROM assignments WHERE target_id = ?1 AND inherited = {inherited}
AND actor_id IN ({groups}) AND actor_is_group = 1 AND target_is_domain {is_domain}"""
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


class SqliteFacts:
    """The facts of one revision; a `FactsReader`.

    Args:
        connection: to the file, read-only. It must show one revision for as long as this lives.
        read_at: epoch seconds: the time that the facts are of.

    Raises:
        BundleUnreadable: it has no such tables, or rows of another form.
    """

    def __init__(self, connection: sqlite3.Connection, read_at: int) -> None:
        self._connection = connection
        self.read_at = read_at
        try:
            self._load()
        except (TypeError, ValueError) as error:
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
            name: json.loads(value) for name, value in execute("SELECT name, value FROM settings")
        }
        self.roles: Mapping[Id, Role] = {
            row[0]: Role._make((*row[:3], json.loads(row[3])))
            for row in execute("SELECT id, name, domain_id, extra FROM roles")
        }
        implied: dict[Id, list[Id]] = {}
        for prior, role_id in execute("SELECT prior_role_id, implied_role_id FROM implied_roles"):
            implied.setdefault(prior, []).append(role_id)
        self.implied_roles: Mapping[Id, Sequence[Id]] = implied
        self.services: Sequence[Service] = [
            Service._make(row)
            for row in execute("SELECT id, type, name FROM services WHERE enabled")
        ]
        self.endpoints: Sequence[Endpoint] = [
            Endpoint._make((*row[:5], bool(row[5]), json.loads(row[6])))
            for row in execute(
                "SELECT id, service_id, interface, region_id, url, enabled, extra FROM endpoints"
            )
        ]
        self.endpoint_groups: Mapping[Id, Mapping[str, Any]] = {
            group_id: json.loads(filters)
            for group_id, filters in execute("SELECT id, filters FROM endpoint_groups")
        }
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
        row = self._row(_PROJECT, project_id)
        return None if row is None else _project(row)

    def scope(self, project_id: Id) -> Scope:
        rows = self._rows(_PATH, (project_id,))
        return Scope(
            tuple([_project(row) for row in rows]),
            tuple([row[0] for row in rows[1:] if row[6]]),
        )

    def groups_of(self, user_id: Id, now: int) -> list[Id]:
        groups = [row[0] for row in self._rows(_GROUPS, (user_id,))]
        if self._has_expiring:
            groups += [row[0] for row in self._rows(_EXPIRING_GROUPS, (user_id, now))]
        return groups

    def direct_roles(
        self, target_id: Id, user_id: Id | None, group_ids: Iterable[Id], *, target_is_domain: bool
    ) -> set[Id]:
        is_domain = "= 1" if target_is_domain else "= 0"
        return self._assigned(target_id, user_id, list(group_ids), "0", is_domain)

    def inherited_roles(
        self, target_ids: Iterable[Id], user_id: Id | None, group_ids: Iterable[Id]
    ) -> set[Id]:
        groups = list(group_ids)
        roles: set[Id] = set()
        for target_id in target_ids:
            # From a domain, and from the project that acts as it.
            roles |= self._assigned(target_id, user_id, groups, "1", "IN (0, 1)")
        return roles

    def _assigned(
        self, target_id: Id, user_id: Id | None, groups: list[Id], inherited: str, is_domain: str
    ) -> set[Id]:
        roles: set[Id] = set()
        if user_id is not None:
            statement = _ASSIGNED.format(inherited=inherited, is_domain=is_domain)
            roles.update(row[0] for row in self._rows(statement, (target_id, user_id)))
        for start in range(0, len(groups), _MOST_GROUPS):
            some = groups[start : start + _MOST_GROUPS]
            statement = _groups_statement(len(some), inherited, is_domain)
            roles.update(row[0] for row in self._rows(statement, (target_id, *some)))
        return roles

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

    def endpoint_filter(self, project_id: Id) -> EndpointFilter:
        if not self._has_endpoint_filters:
            return EndpointFilter(frozenset(), frozenset())
        endpoints = "SELECT endpoint_id FROM project_endpoints WHERE project_id = ?"
        groups = "SELECT endpoint_group_id FROM project_endpoint_groups WHERE project_id = ?"
        return EndpointFilter(
            frozenset(row[0] for row in self._rows(endpoints, (project_id,))),
            frozenset(row[0] for row in self._rows(groups, (project_id,))),
        )


@functools.lru_cache(maxsize=128)
def _groups_statement(number: int, inherited: str, is_domain: str) -> str:
    groups = ", ".join(f"?{place}" for place in range(2, number + 2))
    return _ASSIGNED_TO_GROUPS.format(groups=groups, inherited=inherited, is_domain=is_domain)


def _project(row: Any) -> Project:
    return Project(row[0], row[1], row[2], row[3], row[4] == 1, row[5] == 1)


def _unreadable(error: Exception) -> BundleUnreadable:
    return BundleUnreadable(f"the bundle can't be read: {error}")

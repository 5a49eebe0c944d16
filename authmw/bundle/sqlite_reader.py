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
from authmw.bundle.project_tree import MOST_INHERITED, ProjectTree
from authmw.bundle.records import (
    AccessRule,
    AccessToken,
    Actors,
    ApplicationCredential,
    Endpoint,
    EndpointFilter,
    Id,
    Role,
    Scope,
    Service,
    ServiceProvider,
    Trust,
    User,
)
from authmw.errors import BundleUnreadable

_USER = """
SELECT id, name, domain_id, enabled, disabled_from, password_expires_at, is_resolved
FROM users WHERE id = ?"""
_GROUPS = "SELECT group_id FROM memberships WHERE user_id = ?"
_EXPIRING_GROUPS = """
SELECT DISTINCT group_id FROM expiring_memberships WHERE user_id = ? AND expires_at > ?"""
# The roles of a user on one target: (role, NULL). ?1 is the target, ?2 the user.
_USER_ROLES = """
SELECT role_id, NULL FROM assignments WHERE target_id = ?1 AND inherited = {inherited}
AND actor_id = ?2 AND actor_is_group = 0{is_domain}
UNION ALL
SELECT a.role_id, NULL FROM memberships AS m CROSS JOIN assignments AS a
WHERE m.user_id = ?2 AND a.target_id = ?1 AND a.inherited = {inherited}
AND a.actor_id = m.group_id AND a.actor_is_group = 1{is_domain}"""
# ?3 is the time.
_EXPIRING_USER_ROLES = """
UNION ALL
SELECT a.role_id, NULL FROM expiring_memberships AS m CROSS JOIN assignments AS a
WHERE m.user_id = ?2 AND m.expires_at > ?3 AND a.target_id = ?1 AND a.inherited = {inherited}
AND a.actor_id = m.group_id AND a.actor_is_group = 1{is_domain}"""
# Besides, a group if the user is in it: (NULL, group). SQLite would make a table of `IN (...)`.
_GROUP = """
UNION ALL SELECT NULL, group_id FROM memberships WHERE user_id = ?2 AND group_id = {group}"""
_EXPIRING_GROUP = """
UNION ALL SELECT NULL, group_id FROM expiring_memberships
WHERE user_id = ?2 AND expires_at > ?3 AND group_id = {group}"""
_GROUP_ROLES = """
SELECT role_id, NULL FROM assignments WHERE target_id = ?1 AND inherited = {inherited}
AND actor_id = ?2 AND actor_is_group = 1{is_domain}"""


class _Assigned(NamedTuple):
    """The statements for one kind of assignments; of users, by the number of groups asked for."""

    of_user: Sequence[str]
    of_user_with_expiring: Sequence[str]
    of_group: str

    @classmethod
    def make(cls, inherited: int, is_domain: str) -> _Assigned:
        of_user = [_USER_ROLES]
        of_user_with_expiring = [_USER_ROLES + _EXPIRING_USER_ROLES]
        for count in range(MOST_INHERITED):
            group = _GROUP.format(group=f"?{count + 3}")
            of_user.append(of_user[-1] + group)
            groups = (_GROUP + _EXPIRING_GROUP).format(group=f"?{count + 4}")
            of_user_with_expiring.append(of_user_with_expiring[-1] + groups)
        kind = {"inherited": inherited, "is_domain": is_domain}
        return cls(
            [each.format(**kind) for each in of_user],
            [each.format(**kind) for each in of_user_with_expiring],
            _GROUP_ROLES.format(**kind),
        )


_ON_PROJECT = _Assigned.make(0, " AND target_is_domain = 0")
_ON_DOMAIN = _Assigned.make(0, " AND target_is_domain = 1")
# From a domain, and from the project that acts as it.
_INHERITED = _Assigned.make(1, "")
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
_NO_ENDPOINT_FILTER = EndpointFilter(frozenset(), frozenset())
_ACCESS_TOKEN = """
SELECT id, consumer_id, authorizing_user_id, project_id FROM access_tokens WHERE id = ?"""
_MEMBERSHIP_END = """
SELECT MIN(expires_at) FROM expiring_memberships WHERE user_id = ? AND expires_at > ?"""


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
        # One for all statements: each is read to its end before the next.
        self._cursor = connection.cursor()
        self.read_at = read_at
        self._tree = ProjectTree(self._rows)
        self.project = self._tree.find
        self.scope = self._tree.scope
        try:
            self._load()
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # SQLite holds values of any type in any column.
            raise _unreadable(error) from error

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Any]:
        try:
            return self._cursor.execute(statement, parameters).fetchall()
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
        rows = self._rows(_USER, (user_id,))
        return User._make(rows[0]) if rows else None

    def groups_of(self, user_id: Id, now: int) -> list[Id]:
        groups = [row[0] for row in self._rows(_GROUPS, (user_id,))]
        if self._has_expiring:
            groups += [row[0] for row in self._rows(_EXPIRING_GROUPS, (user_id, now))]
        return groups

    def membership_end(self, user_id: Id, now: int) -> int | None:
        if not self._has_expiring:
            return None
        end = self._rows(_MEMBERSHIP_END, (user_id, now))[0][0]
        if end is not None and type(end) is not int:
            raise BundleUnreadable("a membership ends at no time")
        return end

    def roles_on_project(self, scope: Scope, actors: Actors) -> set[Id]:
        inherited = scope.inherited
        rows = self._assigned(_ON_PROJECT, scope.path[0].id, actors, inherited.groups)
        roles = {row[0] for row in rows}
        if inherited.assignments:
            groups = {row[1] for row in rows}
            groups.update(actors.group_ids)
            for actor_id, is_group, role_id in inherited.assignments:
                if actor_id in groups if is_group else actor_id == actors.user_id:
                    roles.add(role_id)
        for target_id in inherited.targets:
            roles |= {row[0] for row in self._assigned(_INHERITED, target_id, actors)}
        roles.discard(None)
        return roles

    def roles_on_domain(self, domain_id: Id, actors: Actors) -> set[Id]:
        return {row[0] for row in self._assigned(_ON_DOMAIN, domain_id, actors)}

    def _assigned(
        self, statements: _Assigned, target_id: Id, actors: Actors, groups: tuple[Id, ...] = ()
    ) -> list[Any]:
        """Return the roles on a target, and which of some groups a user is in: see `_USER_ROLES`.

        Args:
            actors: a user, or groups alone.
            groups: up to `MOST_INHERITED`.
        """
        user_id = actors.user_id
        if user_id is None:
            return [
                row
                for group_id in actors.group_ids
                for row in self._rows(statements.of_group, (target_id, group_id))
            ]
        if self._has_expiring:
            statement = statements.of_user_with_expiring[len(groups)]
            return self._rows(statement, (target_id, user_id, actors.now, *groups))
        return self._rows(statements.of_user[len(groups)], (target_id, user_id, *groups))

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
            return _NO_ENDPOINT_FILTER
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

"""Keeps the part of the facts that one site needs: domains, projects, regions.

`authmw.bundle.facts.SETTINGS`, `filter`, says what is in the part. Ids of what is chosen are kept
in a temporary file, so memory stays bounded whatever the size of the part.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from authmw.bundle.export.source import FactsSource
from authmw.bundle.facts import TABLES_BY_NAME, Table, pack_id, pack_json
from authmw.bundle.packing import Row
from authmw.errors import BundleUnreadable

_SETS: Final = ("targets", "above", "users", "user_groups", "named_groups", "extra_domains")

# The column of these tables that decides, and the set that it must be in.
_KEPT_BY: Final = {
    "memberships": ("user_id", "users"),
    "expiring_memberships": ("user_id", "users"),
    "trusts": ("project_id", "targets"),
    "application_credentials": ("project_id", "targets"),
    "access_tokens": ("project_id", "targets"),
    "project_endpoints": ("project_id", "targets"),
    "project_endpoint_groups": ("project_id", "targets"),
    "users": ("id", "users"),
}
# Rows that belong to a delegation, by its id.
_PARTS_OF: Final = {
    "trust_roles": ("trust_id", "trusts"),
    "application_credential_roles": ("application_credential_id", "application_credentials"),
    "application_credential_access_rules": (
        "application_credential_id",
        "application_credentials",
    ),
    "access_token_roles": ("access_token_id", "access_tokens"),
}
# Whom a delegation names.
_USERS_OF: Final = {
    "trusts": ("trustor_user_id", "trustee_user_id"),
    "application_credentials": ("user_id",),
    "access_tokens": ("authorizing_user_id",),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which part of the facts; each a list of ids, none: it does not filter."""

    domains: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    @property
    def setting(self) -> dict[str, list[str]]:
        """The value of the setting `filter`; empty if nothing is filtered."""
        parts = {"domains": self.domains, "projects": self.projects, "regions": self.regions}
        return {name: sorted(set(ids)) for name, ids in parts.items() if ids}


class Selection:
    """The part of a source that a filter chooses; a `FactsSource`.

    Some tables are read twice: to find whom their rows name, and to yield them.

    Args:
        source: of all facts.
        chosen: the filter; it chooses something.
        on_unknown: called with what an id of the filter is not that of; nothing is chosen by it.

    Raises:
        BundleUnreadable: an id of the filter is not that of a domain, project or region, and there
            is no `on_unknown`.
    """

    def __init__(
        self,
        source: FactsSource,
        chosen: Filter,
        on_unknown: Callable[[str], None] | None = None,
    ) -> None:
        self._source = source
        self._on_unknown = on_unknown or _refuse
        self._filter = chosen
        # An unnamed file, which SQLite deletes when it is closed; see SQLITE_TMPDIR.
        self._ids = sqlite3.connect("", isolation_level=None)
        self._ids.execute("PRAGMA journal_mode = OFF")
        self._ids.execute("PRAGMA cache_size = -16384")
        self._has_targets = bool(chosen.domains or chosen.projects)

    def __enter__(self) -> Self:
        try:
            self._verify_regions()
            if self._has_targets:
                self._choose()
        except BaseException:
            self._ids.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ids.close()

    @property
    def read_at(self) -> int:
        return self._source.read_at

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of one table that belong to the part."""
        if table.name == "settings":
            yield from self._source.rows(table)
            yield "filter", pack_json(self._filter.setting)
            return
        rows = self._source.rows(table)
        if table.name == "endpoints" and self._filter.regions:
            rows = self._of_regions(table, rows)
        if self._has_targets:
            rows = self._of_part(table, rows)
        yield from rows

    # --- what is in the part

    def _of_regions(self, table: Table, rows: Iterable[Row]) -> Iterator[Row]:
        place = _place(table, "region_id")
        kept = {*map(pack_id, self._filter.regions), None}
        return (row for row in rows if row[place] in kept)

    def _of_part(self, table: Table, rows: Iterator[Row]) -> Iterator[Row]:
        name = table.name
        if name == "projects":
            return self._kept(rows, 0, "targets", "above", "extra_domains")
        if name == "groups":
            return self._kept(rows, 0, "named_groups", "user_groups")
        if name == "assignments":
            return self._assignments()
        if name in _KEPT_BY:
            column, ids = _KEPT_BY[name]
            return self._kept(rows, _place(table, column), ids)
        if name in _PARTS_OF:
            column, delegations = _PARTS_OF[name]
            return self._kept(rows, _place(table, column), delegations)
        return rows

    def _kept(self, rows: Iterable[Row], place: int, *sets: str) -> Iterator[Row]:
        has = self._has
        return (row for row in rows if any(has(each, row[place]) for each in sets))

    def _assignments(self) -> Iterator[Row]:
        table = TABLES_BY_NAME["assignments"]
        target, inherited = _place(table, "target_id"), _place(table, "inherited")
        has = self._has
        for row in self._source.rows(table):
            if has("targets", row[target]) or (row[inherited] and has("above", row[target])):
                yield row

    # --- choosing

    def _verify_regions(self) -> None:
        if not self._filter.regions:
            return
        table = TABLES_BY_NAME["endpoints"]
        place = _place(table, "region_id")
        known = {row[place] for row in self._source.rows(table)}
        self._report_unknown("region with endpoints", self._filter.regions, known)

    def _report_unknown(self, kind: str, ids: Iterable[str], known: Iterable[Any]) -> None:
        packed = set(known)
        unknown = sorted(each for each in ids if pack_id(each) not in packed)
        if unknown:
            self._on_unknown(f"there is no {kind} with the id {', '.join(unknown)}")

    def _choose(self) -> None:
        execute = self._ids.execute
        for name in (*_SETS, *_USERS_OF):
            execute(f"CREATE TABLE {name} (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._choose_targets()
        self._choose_actors()
        for name, columns in _USERS_OF.items():
            table = TABLES_BY_NAME[name]
            places = [_place(table, column) for column in columns]
            project = _place(table, "project_id")
            for row in self._source.rows(table):
                if self._has("targets", row[project]):
                    self._add(name, row[0])
                    for place in places:
                        self._add("users", row[place])
        self._choose_members()
        self._choose_domains()

    def _choose_targets(self) -> None:
        execute = self._ids.execute
        execute(
            "CREATE TABLE tree (id BLOB PRIMARY KEY, domain_id BLOB, parent_id BLOB, "
            "is_domain INTEGER) WITHOUT ROWID"
        )
        table = TABLES_BY_NAME["projects"]
        places = [_place(table, column) for column in ("id", "domain_id", "parent_id", "is_domain")]
        self._ids.executemany(
            "INSERT INTO tree VALUES (?, ?, ?, ?)",
            (tuple([row[place] for place in places]) for row in self._source.rows(table)),
        )
        for kind, ids, is_domain in (
            ("domain", self._filter.domains, 1),
            ("project", self._filter.projects, 0),
        ):
            statement = "SELECT 1 FROM tree WHERE id = ? AND is_domain = ?"
            known = {
                pack_id(each)
                for each in ids
                if execute(statement, (pack_id(each), is_domain)).fetchone()
            }
            self._report_unknown(kind, ids, known)
            for each in known:
                self._add("targets", each)
        execute("CREATE INDEX tree_by_parent ON tree (parent_id)")
        execute("CREATE INDEX tree_by_domain ON tree (domain_id)")
        execute(
            "INSERT OR IGNORE INTO targets SELECT tree.id FROM tree JOIN targets "
            "ON tree.domain_id = targets.id"
        )
        execute(
            "INSERT OR IGNORE INTO targets WITH RECURSIVE below(id) AS ("
            "SELECT id FROM targets UNION "
            "SELECT tree.id FROM below JOIN tree ON tree.parent_id = below.id"
            ") SELECT id FROM below"
        )
        execute(
            "INSERT OR IGNORE INTO above WITH RECURSIVE up(id) AS ("
            "SELECT id FROM targets UNION "
            "SELECT tree.parent_id FROM up JOIN tree ON tree.id = up.id "
            "WHERE tree.parent_id IS NOT NULL UNION "
            "SELECT tree.domain_id FROM up JOIN tree ON tree.id = up.id "
            "WHERE tree.domain_id IS NOT NULL"
            ") SELECT id FROM up"
        )

    def _choose_actors(self) -> None:
        for name, rows in (
            ("assignments", self._assignments()),
            ("system_assignments", self._source.rows(TABLES_BY_NAME["system_assignments"])),
        ):
            table = TABLES_BY_NAME[name]
            actor, is_group = _place(table, "actor_id"), _place(table, "actor_is_group")
            for row in rows:
                self._add("named_groups" if row[is_group] else "users", row[actor])

    def _choose_members(self) -> None:
        names = ("memberships", "expiring_memberships")
        for name in names:
            for user_id, group_id, *_ in self._source.rows(TABLES_BY_NAME[name]):
                if self._has("named_groups", group_id):
                    self._add("users", user_id)
        for name in names:
            for user_id, group_id, *_ in self._source.rows(TABLES_BY_NAME[name]):
                if self._has("users", user_id):
                    self._add("user_groups", group_id)

    def _choose_domains(self) -> None:
        """Choose the domains of the users and groups: a token shows their names and states."""
        for name in ("users", "groups"):
            table = TABLES_BY_NAME[name]
            place = _place(table, "domain_id")
            for row in self._of_part(table, self._source.rows(table)):
                self._add("extra_domains", row[place])

    def _has(self, name: str, identifier: Any) -> bool:
        statement = f"SELECT 1 FROM {name} WHERE id = ?"  # noqa: S608
        return self._ids.execute(statement, (identifier,)).fetchone() is not None

    def _add(self, name: str, identifier: Any) -> None:
        self._ids.execute(f"INSERT OR IGNORE INTO {name} VALUES (?)", (identifier,))  # noqa: S608


def _place(table: Table, column: str) -> int:
    return next(place for place, each in enumerate(table.columns) if each.name == column)


def _refuse(unknown: str) -> None:
    raise BundleUnreadable(unknown)

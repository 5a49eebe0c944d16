"""Bundles of a few facts, written down by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from authmw.bundle.facts import TABLES_BY_NAME, Kind, Table, pack_id, pack_json
from authmw.bundle.sqlite_reader import SqliteFacts

READ_AT = 1_800_000_000
"""When the facts of a small bundle were read, unless a test says otherwise."""

_ABSENT: Mapping[Kind, Any] = {
    Kind.ID: "?",
    Kind.TEXT: "",
    Kind.BOOLEAN: 1,
    Kind.INTEGER: 0,
    Kind.TIME: 0,
    Kind.JSON: {},
}


def make_row(table: Table, members: Mapping[str, Any]) -> tuple[Any, ...]:
    """Make a row; a column that is not named is NULL, or true, empty or 0."""
    assert members.keys() <= {column.name for column in table.columns}
    row = []
    for column in table.columns:
        value = members.get(column.name, None if column.optional else _ABSENT[column.kind])
        if value is not None and column.kind is Kind.ID:
            value = pack_id(value)
        elif value is not None and column.kind is Kind.JSON:
            value = pack_json(value)
        row.append(value)
    return tuple(row)


class SmallBundle:
    """An SQLite file in memory, with what all tests of tokens need.

    A domain `d` with the projects `top`, `middle` below it and `low` below that, the users `u` and
    `v` of the domain, and the roles `reader` and `member`.
    """

    def __init__(self) -> None:
        self.file = sqlite3.connect(":memory:")
        for table in TABLES_BY_NAME.values():
            self.file.execute(table.create_statement)
        self.add("projects", id="d", name="Domain", is_domain=1)
        for project, parent in (("top", "d"), ("middle", "top"), ("low", "middle")):
            self.add(
                "projects", id=project, name=project, domain_id="d", parent_id=parent, is_domain=0
            )
        for user in ("u", "v"):
            self.add("users", id=user, name=f"user {user}", domain_id="d")
        for role in ("reader", "member"):
            self.add("roles", id=role, name=role, extra={"options": {}})

    def add(self, table_name: str, **members: Any) -> None:
        """Add a row."""
        table = TABLES_BY_NAME[table_name]
        self.file.execute(table.insert_statement, make_row(table, members))

    def set(self, table_name: str, identifier: str, **members: Any) -> None:
        """Change columns of a row, as they are in the file."""
        for name, value in members.items():
            changed = self.file.execute(
                f'UPDATE "{table_name}" SET "{name}" = ? WHERE id = ?', (value, identifier)
            )
            assert changed.rowcount == 1

    def remove(self, table_name: str, identifier: str) -> None:
        """Remove a row."""
        removed = self.file.execute(f'DELETE FROM "{table_name}" WHERE id = ?', (identifier,))
        assert removed.rowcount == 1

    def assign(self, role: str, actor: str, target: str, **members: int) -> None:
        """Assign a role to a user on a project, unless told otherwise."""
        flags = {"inherited": 0, "actor_is_group": 0, "target_is_domain": 0, **members}
        self.add("assignments", role_id=role, actor_id=actor, target_id=target, **flags)

    def read(self, read_at: int = READ_AT) -> SqliteFacts:
        """Return the reader of what is there now."""
        return SqliteFacts(self.file, read_at)

    def close(self) -> None:
        self.file.close()

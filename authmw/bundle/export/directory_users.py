"""Users and groups of directories (LDAP), which Keystone's database does not hold, by its API.

The database has a row for each of them who ever logged in, and nothing else. What the API says is
not part of the snapshot: it is as old as the directory's answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from authmw.bundle.export.api_client import ApiClient, Item
from authmw.bundle.export.source import FactsSource
from authmw.bundle.facts import TABLES_BY_NAME, Table, unpack_id
from authmw.bundle.packing import Row, pack_rows, parse_time

GROUP_MEMBERS = ("id", "name", "domain_id")
USER_MEMBERS = ("id", "name", "domain_id", "enabled", "password_expires_at")


class DirectoryUsers:
    """A source whose users of directories are completed; a `FactsSource`.

    Args:
        source: which says of these users that they are not resolved.
        client: with credentials that may list users and groups.
    """

    def __init__(self, source: FactsSource, client: ApiClient) -> None:
        self._source = source
        self._client = client
        self._found: list[str] | None = None

    @property
    def read_at(self) -> int:
        return self._source.read_at

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of one table, with those of directories.

        A user whom the directory has no more stays unresolved.
        """
        if table.name == "users":
            yield from self._users(table)
            return
        yield from self._source.rows(table)
        if table.name == "groups":
            for domain_id in self._domain_ids():
                yield from pack_rows(table, map(make_group, self._groups_of(domain_id)))
        elif table.name == "memberships":
            for domain_id in self._domain_ids():
                yield from pack_rows(table, self._memberships(domain_id))

    def _users(self, table: Table) -> Iterator[Row]:
        resolved: dict[Any, Row] = {}
        for domain_id in self._domain_ids():
            listed = self._client.list_all(
                f"/users?domain_id={quote(domain_id, safe='')}", "users", USER_MEMBERS
            )
            for row in pack_rows(table, map(make_user, listed)):
                resolved[row[0]] = row
        for row in self._source.rows(table):
            # The last column is `is_resolved`.
            yield row if row[-1] else resolved.pop(row[0], row)
        yield from resolved.values()

    def _groups_of(self, domain_id: str) -> list[Item]:
        path = f"/groups?domain_id={quote(domain_id, safe='')}"
        return self._client.list_all(path, "groups", GROUP_MEMBERS)

    def _memberships(self, domain_id: str) -> Iterator[Row]:
        for group in self._groups_of(domain_id):
            group_id = group["id"]
            path = f"/groups/{quote(group_id, safe='')}/users"
            for user in self._client.list_all(path, "users", ("id",)):
                yield user["id"], group_id

    def _domain_ids(self) -> Iterable[str]:
        """Return the domains with users who are not resolved."""
        if self._found is None:
            table = TABLES_BY_NAME["users"]
            place = [column.name for column in table.columns].index("domain_id")
            packed = {row[place] for row in self._source.rows(table) if not row[-1]}
            self._found = sorted(map(unpack_id, packed))
        return self._found


def make_user(item: Item) -> Row:
    """Make a row of `users` of a user as the API lists it."""
    return (
        item["id"],
        item.get("name"),
        item["domain_id"],
        item.get("enabled", True),
        None,
        parse_time(item.get("password_expires_at")),
        True,
    )


def make_group(item: Item) -> Row:
    """Make a row of `groups` of a group as the API lists it."""
    return item["id"], item["name"], item["domain_id"]

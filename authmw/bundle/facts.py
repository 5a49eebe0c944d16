"""The facts of a bundle: the tables of its SQLite file, their columns, types and keys.

A fact is what Keystone's database says, not what follows from it: a role that a group of 10,000
users has is one row. `authmw.bundle.evaluate` works out what a token may do by them.

Every column that is read is in this list. No password, secret, hash or credential is, and no
column whose content anybody may fill in freely, except the names, URLs and endpoint members that
Keystone shows in every token.

A table has one row a fact, without ROWID, ordered by its key: two bundles with the same facts have
the same rows, in the same order. `Table.columns` is their order in a row, key columns first.
A row is a tuple of values as SQLite holds them (see `Kind`).
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class Kind(enum.Enum):
    """What a column holds, and how SQLite holds it."""

    # An identifier, as `pack_id` makes it: BLOB of 16 or 32 bytes, or TEXT.
    ID = enum.auto()
    TEXT = enum.auto()
    # 0 or 1.
    BOOLEAN = enum.auto()
    INTEGER = enum.auto()
    # INTEGER: microseconds since 1970, UTC.
    TIME = enum.auto()
    # TEXT, as `pack_json` makes it: one value has one text.
    JSON = enum.auto()

    @property
    def sqlite_type(self) -> str:
        return _SQLITE_TYPES[self]


_SQLITE_TYPES: Final = {
    Kind.ID: "BLOB",
    Kind.TEXT: "TEXT",
    Kind.BOOLEAN: "INTEGER",
    Kind.INTEGER: "INTEGER",
    Kind.TIME: "INTEGER",
    Kind.JSON: "TEXT",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of facts; see `Kind` for its values.

    Attributes:
        optional: it may be NULL. A column of a key is never optional.
    """

    name: str
    kind: Kind
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of facts.

    Attributes:
        columns: in the order in which a row holds their values.
        key_length: how many columns, the first ones, make the primary key.
    """

    name: str
    columns: tuple[Column, ...]
    key_length: int

    @property
    def key(self) -> tuple[Column, ...]:
        return self.columns[: self.key_length]

    @property
    def create_statement(self) -> str:
        """The SQL that creates the table in an SQLite file."""
        columns = ", ".join(
            f'"{each.name}" {each.kind.sqlite_type}{"" if each.optional else " NOT NULL"}'
            for each in self.columns
        )
        key = ", ".join(f'"{each.name}"' for each in self.key)
        return f'CREATE TABLE "{self.name}" ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID'

    @property
    def insert_statement(self) -> str:
        """The SQL that adds a row, its values as parameters in the order of `columns`."""
        names = ", ".join(f'"{each.name}"' for each in self.columns)
        places = ", ".join("?" for _ in self.columns)
        return f'INSERT INTO "{self.name}" ({names}) VALUES ({places})'  # noqa: S608


def _id(name: str) -> Column:
    return Column(name, Kind.ID)


def _optional_id(name: str) -> Column:
    return Column(name, Kind.ID, optional=True)


def _text(name: str) -> Column:
    return Column(name, Kind.TEXT)


def _boolean(name: str) -> Column:
    return Column(name, Kind.BOOLEAN)


def _optional_time(name: str) -> Column:
    return Column(name, Kind.TIME, optional=True)


def _optional_integer(name: str) -> Column:
    return Column(name, Kind.INTEGER, optional=True)


def _table(name: str, key: tuple[Column, ...], *others: Column) -> Table:
    return Table(name, (*key, *others), len(key))


TABLES: Final[tuple[Table, ...]] = (
    # Projects and domains. A domain has neither `domain_id` nor `parent_id`; the parent of a
    # project at the top of its tree is its domain.
    _table(
        "projects",
        (_id("id"),),
        _text("name"),
        _optional_id("domain_id"),
        _optional_id("parent_id"),
        _boolean("enabled"),
        _boolean("is_domain"),
    ),
    # `disabled_from`: from then on the user counts as disabled, since it has not been active
    # (`[security_compliance] disable_user_account_days_inactive`); NULL: never.
    # `password_expires_at`: of the newest password; token bodies state it.
    # `is_resolved`: 0 for a user of a directory whose state and groups were not read. Nothing but
    # its row is known then.
    _table(
        "users",
        (_id("id"),),
        Column("name", Kind.TEXT, optional=True),
        _id("domain_id"),
        _boolean("enabled"),
        _optional_time("disabled_from"),
        _optional_time("password_expires_at"),
        _boolean("is_resolved"),
    ),
    _table("groups", (_id("id"),), _text("name"), _id("domain_id")),
    _table("memberships", (_id("user_id"), _id("group_id"))),
    # Memberships that an identity provider's mapping gives for a time.
    _table(
        "expiring_memberships",
        (_id("user_id"), _id("group_id"), _id("identity_provider_id")),
        Column("expires_at", Kind.TIME),
    ),
    # `domain_id`: of a domain-specific role, which only implies others; else NULL.
    # `extra`: an object with the other members of a role that Keystone shows in the tokens of
    # trusts and of federated users: `description`, `options` and what was added to it.
    _table(
        "roles",
        (_id("id"),),
        _text("name"),
        _optional_id("domain_id"),
        Column("extra", Kind.JSON),
    ),
    _table("implied_roles", (_id("prior_role_id"), _id("implied_role_id"))),
    # `inherited`: on everything below the target, and not on the target itself.
    # `target_is_domain` tells a domain from the project that acts as it: both have one id.
    # The order of the key is that of a look-up (ADR 0120).
    _table(
        "assignments",
        (
            _id("target_id"),
            _boolean("inherited"),
            _id("actor_id"),
            _boolean("actor_is_group"),
            _boolean("target_is_domain"),
            _id("role_id"),
        ),
    ),
    _table(
        "system_assignments",
        (_id("actor_id"), _boolean("actor_is_group"), _id("role_id")),
    ),
    # Those that were not deleted. `remaining_uses`: NULL is without limit.
    _table(
        "trusts",
        (_id("id"),),
        _id("trustor_user_id"),
        _id("trustee_user_id"),
        _optional_id("project_id"),
        _boolean("impersonation"),
        _optional_time("expires_at"),
        _optional_integer("remaining_uses"),
        _optional_id("redelegated_trust_id"),
        _optional_integer("redelegation_count"),
    ),
    _table("trust_roles", (_id("trust_id"), _id("role_id"))),
    _table(
        "application_credentials",
        (_id("id"),),
        _text("name"),
        _id("user_id"),
        _optional_id("project_id"),
        _boolean("unrestricted"),
        _optional_time("expires_at"),
    ),
    _table("application_credential_roles", (_id("application_credential_id"), _id("role_id"))),
    _table(
        "application_credential_access_rules",
        (_id("application_credential_id"), _id("id")),
        _text("service"),
        _text("path"),
        _text("method"),
    ),
    # Access tokens of OAuth1.
    _table(
        "access_tokens",
        (_id("id"),),
        _id("consumer_id"),
        _id("authorizing_user_id"),
        _id("project_id"),
    ),
    _table("access_token_roles", (_id("access_token_id"), _id("role_id"))),
    _table(
        "services",
        (_id("id"),),
        Column("type", Kind.TEXT, optional=True),
        _text("name"),
        _boolean("enabled"),
    ),
    # `extra`: an object with members that the catalog shows as well (`name`, `description`, ...).
    _table(
        "endpoints",
        (_id("id"),),
        _id("service_id"),
        _text("interface"),
        _optional_id("region_id"),
        _text("url"),
        _boolean("enabled"),
        Column("extra", Kind.JSON),
    ),
    # Endpoint filters: which endpoints the catalog of a project shows.
    _table("project_endpoints", (_id("project_id"), _id("endpoint_id"))),
    # `filters`: an object; an endpoint belongs to the group if it has all of its members.
    _table("endpoint_groups", (_id("id"),), Column("filters", Kind.JSON)),
    _table("project_endpoint_groups", (_id("project_id"), _id("endpoint_group_id"))),
    _table("identity_providers", (_id("id"),), _id("domain_id"), _boolean("enabled")),
    _table("federation_protocols", (_id("identity_provider_id"), _id("id"))),
    _table(
        "service_providers",
        (_id("id"),),
        _text("auth_url"),
        _text("sp_url"),
        _boolean("enabled"),
    ),
    # `event`: as `GET /v3/OS-REVOKE/events` lists it (`authmw.revocation.events` reads it).
    _table("revocation_events", (Column("revoked_at", Kind.TIME), Column("event", Kind.JSON))),
    # What Keystone's configuration says, and what was left out; see `SETTINGS`.
    _table("settings", (_text("name"),), Column("value", Kind.JSON)),
)

# The names in `settings`. One that is absent has Keystone's default.
#
# admin_project: `{"name": ..., "domain_name": ...}`: `[resource] admin_project_name` and
#     `admin_project_domain_name`. Absent: none.
# max_redelegation_count: an integer: `[trust] max_redelegation_count`. Absent: 3.
# return_all_endpoints_if_no_filter: a boolean: `[endpoint_filter]`. Absent: true.
# url_substitutions: an object of strings: what `$(public_endpoint)s` and its like stand for in
#     the URLs of endpoints. Absent: nothing but the ids of the user and the project.
# filter: an object: the bundle holds a part; `{"domains": [...], "projects": [...],
#     "regions": [...]}`, each list of ids present if the bundle was filtered by it. Absent: it
#     holds all. `domains` and `projects` choose the targets of assignments: a domain with its
#     projects, a project with those below it; a target in either is in the bundle. It then has
#     every assignment on these targets, every inherited one on their ancestors and domains, the
#     ancestors and domains themselves, each user, group and credential that these name, all
#     memberships of each user that it has, and all roles, implied roles and system assignments.
#     What is not in such a bundle is unknown, never denied. `regions` chooses endpoints alone; an
#     endpoint filter that chooses none of them is one that chooses others.
# confirms: in a hot file alone: an object, `{"digest": ..., "revision": ..., "read_at": ...}`: the
#     facts with this state digest (64 hexadecimal digits) are those of this revision, read then
#     (epoch seconds). See `authmw.bundle.file.hot`.
SETTINGS: Final[Mapping[str, type]] = {
    "admin_project": dict,
    "max_redelegation_count": int,
    "return_all_endpoints_if_no_filter": bool,
    "url_substitutions": dict,
    "filter": dict,
    "confirms": dict,
}
"""The names in `settings`, and what each value is."""

FILTERS: Final = frozenset({"domains", "projects", "regions"})
"""The names in the setting `filter`."""

TABLES_BY_NAME: Final = {table.name: table for table in TABLES}


def pack_id(identifier: str) -> bytes | str:
    """Return an identifier as the file holds it: half as long where it is lower-case hex.

    Keystone's own ids are 32 hexadecimal digits, those of directory and federated users 64; both
    are held as bytes. Any other one is held as text (`default`, the id of a region). So each
    identifier has one form.
    """
    if len(identifier) == 32 or len(identifier) == 64:
        try:
            packed = bytes.fromhex(identifier)
        except ValueError:
            return identifier
        # Upper-case digits and spaces are read as well.
        if packed.hex() == identifier:
            return packed
    return identifier


def unpack_id(packed: bytes | str) -> str:
    """Return the identifier that `pack_id` packed."""
    return packed if isinstance(packed, str) else packed.hex()


def pack_json(value: object) -> str:
    """Return the one JSON text of a value: members sorted, nothing between tokens.

    Raises:
        ValueError: a number is infinite, or none (NaN): JSON has no such numbers.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )

"""Small sets of facts for the tests of a bundle's file, and files made of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st

from authmw.bundle.facts import TABLES, Kind, pack_id, pack_json
from authmw.bundle.file import Header, Origin, make_delta, write_bundle
from authmw.bundle.file.rows import Row

Fact = tuple[str, Row]

READ_AT = 1_750_000_000
OLD_ORIGIN = Origin(7, READ_AT, "a test", READ_AT, READ_AT - 86_400)
NEW_ORIGIN = Origin(8, READ_AT + 30, "a test", READ_AT + 30, READ_AT - 86_370)


def identifier(number: int) -> bytes:
    return number.to_bytes(16, "big")


def assignment(project: int, user: int, role: int = 1, inherited: int = 0) -> Fact:
    return "assignments", (
        *(identifier(project), inherited),
        *(identifier(user), 0, 0, identifier(role)),
    )


def user(number: int, name: str | None = "u", password_expires_at: int | None = None) -> Fact:
    return "users", (identifier(number), name, "default", 1, None, password_expires_at, 1)


def facts(count: int = 300) -> list[Fact]:
    """Return some facts of several tables."""
    return [
        ("roles", (identifier(1), "member", None, '{"description":"ü"}')),
        ("projects", ("default", "Default", None, None, 1, 1)),
        ("settings", ("max_redelegation_count", "3")),
        *(user(number, f"user-{number}") for number in range(count // 10)),
        *(assignment(number // 5, number % 37) for number in range(count)),
    ]


def changed(old: Iterable[Fact]) -> list[Fact]:
    """Return other facts: some went, some came, some rows have other values."""
    kept = [fact for fact in old if fact not in (assignment(3, 18), user(4, "user-4"))]
    return [*kept, user(4, None, 5), assignment(3, 18, role=2), assignment(9_000, 1)]


def write(path: Path, rows: Iterable[Fact], origin: Origin = OLD_ORIGIN) -> Header:
    return write_bundle(path, origin, rows)


def write_delta(folder: Path, old: Iterable[Fact], new: Iterable[Fact]) -> tuple[Path, Path, Path]:
    """Return the paths of a bundle, of the one that it becomes, and of the delta between them."""
    before, after, delta = folder / "bundle", folder / "after", folder / "delta"
    write(before, old)
    write(after, new, NEW_ORIGIN)
    make_delta(before, after, delta)
    return before, after, delta


_JSON = st.dictionaries(st.text(max_size=3), st.integers(-9, 9) | st.text(max_size=3), max_size=2)
_INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
_VALUES: dict[Kind, st.SearchStrategy[object]] = {
    Kind.ID: st.one_of(
        st.integers(0, 9).map(identifier),
        st.integers(0, 9).map(lambda number: number.to_bytes(32, "little")),
        st.sampled_from(["", "default", "Ünï"]).map(pack_id),
    ),
    Kind.TEXT: st.text(max_size=40),
    Kind.BOOLEAN: st.integers(0, 1),
    Kind.INTEGER: _INTEGERS,
    Kind.TIME: _INTEGERS,
    Kind.JSON: _JSON.map(pack_json),
}


def _rows_of(place: int) -> st.SearchStrategy[list[Fact]]:
    table = TABLES[place]
    values = [
        st.none() | _VALUES[column.kind] if column.optional else _VALUES[column.kind]
        for column in table.columns
    ]
    rows = st.lists(st.tuples(*values), max_size=6, unique_by=lambda row: row[: table.key_length])
    return rows.map(lambda some: [(table.name, row) for row in some])


# Facts of any tables, of any values, no key twice.
FACTS = st.lists(st.integers(0, len(TABLES) - 1), max_size=4, unique=True).flatmap(
    lambda places: st.tuples(*map(_rows_of, places)).map(lambda parts: [*itertools.chain(*parts)])
)

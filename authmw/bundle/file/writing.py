"""Writes a bundle from a stream of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path

from authmw.bundle.facts import TABLES, TABLES_BY_NAME, Table
from authmw.bundle.file.database import create_database
from authmw.bundle.file.digest import StateSum
from authmw.bundle.file.header import Header, Origin, parse_header, write_header
from authmw.bundle.file.placing import replacement_of
from authmw.bundle.file.rows import Row, encode_rows
from authmw.errors import BundleUnreadable

_ROWS_AT_A_TIME = 10_000
# Of an INSERT: a statement costs as much as some rows. SQLite before 3.32 takes 999 values at most.
_ROWS_A_STATEMENT = 64


def write_bundle(path: Path, origin: Origin, rows: Iterable[tuple[str, Row]]) -> Header:
    """Write a bundle; a file that is there is replaced when the new one is whole and on disk.

    Memory is bounded. For a while as much space again is used beside the file, and in the
    directory for temporary files (SQLITE_TMPDIR, else /var/tmp).

    Args:
        path: of the file.
        origin: of the rows.
        rows: the name of a table (`authmw.bundle.facts.TABLES`) and a row of it, in any order.

    Returns:
        the header of the file.

    Raises:
        BundleUnreadable: a row is not of its table's form, or one key is there twice.
        OSError: the file can't be written; what was there stays.
    """
    with replacement_of(path) as new, _scratch_beside(new) as scratch:
        try:
            with closing(create_database(new)) as connection:
                return _write(connection, scratch, origin, rows)
        except sqlite3.Error as error:
            raise OSError(f"{path} can't be written: {error}") from error


@contextmanager
def _scratch_beside(new: Path) -> Iterator[Path]:
    scratch = new.with_name(f"{new.name}.rows")
    scratch.unlink(missing_ok=True)
    try:
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


def _write(
    connection: sqlite3.Connection,
    scratch: Path,
    origin: Origin,
    rows: Iterable[tuple[str, Row]],
) -> Header:
    """Collect the rows as they come, then put each table in order: pages are full that way."""
    connection.execute("ATTACH ? AS scratch", (str(scratch),))
    connection.execute("PRAGMA scratch.journal_mode = OFF")
    connection.execute("PRAGMA scratch.synchronous = OFF")
    connection.execute("BEGIN")
    state, count = StateSum(), 0
    for name, some in _in_portions(rows):
        table = TABLES_BY_NAME[name]
        state.add(name, encode_rows(table, some))
        count += len(some)
        _insert_into_scratch(connection, table, some)
    for table in TABLES:
        _sort(connection, table)
    header = parse_header(Header(origin, count, state.digest).values)
    write_header(connection, header, state)
    connection.execute("COMMIT")
    return header


def _in_portions(rows: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, list[Row]]]:
    for name, group in groupby(rows, key=itemgetter(0)):
        if name not in TABLES_BY_NAME:
            raise BundleUnreadable(f"there is no table {name!r}")
        while some := [row for _, row in islice(group, _ROWS_AT_A_TIME)]:
            yield name, some


def _insert_into_scratch(connection: sqlite3.Connection, table: Table, rows: list[Row]) -> None:
    columns = ", ".join(f'"{column.name}" {column.kind.sqlite_type}' for column in table.columns)
    connection.execute(f'CREATE TABLE IF NOT EXISTS scratch."{table.name}" ({columns})')
    insert = f'INSERT INTO scratch."{table.name}" VALUES '  # noqa: S608
    one = f"({', '.join('?' for _ in table.columns)})"
    flat = chain.from_iterable
    whole = len(rows) - len(rows) % _ROWS_A_STATEMENT
    connection.executemany(
        insert + ", ".join([one] * _ROWS_A_STATEMENT),
        (
            tuple(flat(rows[place : place + _ROWS_A_STATEMENT]))
            for place in range(0, whole, _ROWS_A_STATEMENT)
        ),
    )
    connection.executemany(insert + one, rows[whole:])


def _sort(connection: sqlite3.Connection, table: Table) -> None:
    known = "SELECT 1 FROM scratch.sqlite_schema WHERE name = ?"
    if connection.execute(known, (table.name,)).fetchone() is None:
        return
    key = ", ".join(f'"{column.name}"' for column in table.key)
    try:
        connection.execute(
            f'INSERT INTO main."{table.name}" '  # noqa: S608
            f'SELECT * FROM scratch."{table.name}" ORDER BY {key}'
        )
    except sqlite3.IntegrityError as error:
        raise BundleUnreadable(f"{table.name!r} has one key twice") from error
    connection.execute(f'DROP TABLE scratch."{table.name}"')

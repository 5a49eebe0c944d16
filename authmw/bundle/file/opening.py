"""Opens a bundle for reading, and verifies one."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from authmw.bundle.facts import TABLES, Table
from authmw.bundle.file.database import OpenFile, identity_of, open_for_reading
from authmw.bundle.file.digest import StateSum
from authmw.bundle.file.header import Header, read_header
from authmw.bundle.file.rows import Row, encode_rows
from authmw.bundle.sqlite_reader import SqliteFacts
from authmw.errors import BundleUnreadable

# What a worker keeps of the file in memory of its own; the system keeps the rest for all of them.
CACHE_KIB = 8 * 1024
_ROWS_AT_A_TIME = 10_000


class Bundle:
    """One revision, open for reading by the threads of the process that opened it.

    A child of that process opens its own: SQLite's connections don't outlive a fork.

    Attributes:
        path: of the file.
        header: what it says of itself.
        facts: a `FactsReader` of it.
    """

    def __init__(self, path: Path, file: OpenFile) -> None:
        self.path = path
        self._file = file
        self._connection = file.connection
        self.header, _ = read_header(file.connection)
        self.facts = SqliteFacts(file.connection, self.header.origin.read_at)

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of one table in the order of its key. Raises BundleUnreadable."""
        yield from read_rows(self._connection, table)

    def select(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        """Yield the results of a statement, for tools: it may scan. Raises BundleUnreadable."""
        try:
            yield from self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            raise BundleUnreadable(f"the bundle can't be read: {error}") from error

    def check_pages(self) -> str:
        """Have SQLite check the structure of the file, and that rows are in order.

        Returns:
            "ok", or what is wrong first.

        Raises:
            sqlite3.Error: the file can't be read.
        """
        return str(self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0])

    def fileno(self) -> int:
        """Return a descriptor of the file, locked for reading."""
        return self._file.lock

    def is_replaced(self) -> bool:
        """Tell whether another file lies at `path` now, or none; one `stat`."""
        try:
            return identity_of(os.stat(self.path)) != self._file.identity
        except OSError:
            return True

    def is_changed_in_place(self) -> bool:
        """Tell whether the open file itself was written to since; one `fstat`."""
        return self._file.is_changed_in_place()

    def try_lock(self) -> None:
        """Take the shared lock if somebody else's kept this from having it; see `OpenFile`."""
        self._file.try_lock()

    def close(self) -> None:
        """Close the file; `facts` can't be used any more."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_bundle(path: Path, cache_kib: int = CACHE_KIB) -> Bundle:
    """Open a bundle for reading, in milliseconds: header, tables and size are verified, rows not.

    Rows were verified by whoever put the file there (`install_bundle`, `apply_delta`).

    Args:
        path: of the file.
        cache_kib: KiB of it that this process keeps in memory of its own.

    Raises:
        BundleUnreadable: there is none, it is cut, of another format, or has other tables than
            ours.
    """
    file = open_for_reading(path, cache_kib)
    try:
        return Bundle(path, file)
    except (BundleUnreadable, sqlite3.Error, RecursionError) as error:
        file.close()
        raise BundleUnreadable(f"{path} is not usable as a bundle: {error}") from error


def verify_bundle(path: Path, on_rows: Callable[[int], None] | None = None) -> Header:
    """Read a whole bundle: its pages, the order and form of its rows, and the digest.

    Args:
        path: of the file.
        on_rows: called now and then with how many rows were read.

    Returns:
        its header.

    Raises:
        BundleUnreadable: anything is not as it should be; says what.
    """
    with open_bundle(path) as bundle:
        try:
            return _verify(bundle, on_rows or (lambda _: None))
        except (BundleUnreadable, sqlite3.Error) as error:
            raise BundleUnreadable(f"{path} is not usable as a bundle: {error}") from error


def _verify(bundle: Bundle, on_rows: Callable[[int], None]) -> Header:
    # A row out of its order is in the digest, and yet found by no look-up.
    damage = bundle.check_pages()
    if damage != "ok":
        raise BundleUnreadable(f"it is damaged: {damage}")
    state, count = StateSum(), 0
    for table in TABLES:
        rows = bundle.rows(table)
        while some := list(itertools.islice(rows, _ROWS_AT_A_TIME)):
            state.add(table.name, encode_rows(table, some))
            count += len(some)
            on_rows(count)
    header = bundle.header
    if (state.digest, count) != (header.digest, header.row_count):
        raise BundleUnreadable("its rows are not those that its digest is of")
    return header


def read_rows(connection: sqlite3.Connection, table: Table) -> Iterator[Any]:
    """Yield the rows of one table in the order of its key. Raises BundleUnreadable."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    key = ", ".join(f'"{column.name}"' for column in table.key)
    try:
        yield from connection.execute(f'SELECT {columns} FROM "{table.name}" ORDER BY {key}')  # noqa: S608
    except sqlite3.Error as error:
        raise BundleUnreadable(f"{table.name!r} can't be read: {error}") from error

"""One consistent cut of Keystone's database, read as a stream of rows of facts.

All tables are read in one transaction that sees one state of the database (REPEATABLE READ): an
export in several would find rights that never were, such as those of a user halfway through a move.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from authmw.bundle.facts import Table
from authmw.bundle.keystone_configuration import Configuration
from authmw.bundle.keystone_sql.columns import KNOWN_SCHEMAS, SOURCES
from authmw.bundle.keystone_sql.queries import QUERIES
from authmw.bundle.packing import OneSpelling, Row, pack_portions
from authmw.errors import BundleUnreadable

# Rows that a server sends at a time, so that memory stays bounded.
_ROWS_AT_A_TIME = 10_000

_IN_ONE_SNAPSHOT: Mapping[str, Mapping[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "mysql": {"isolation_level": "REPEATABLE READ"},
    "mariadb": {"isolation_level": "REPEATABLE READ"},
    # Its driver would begin no transaction for reading; `snapshot` begins one itself.
    "sqlite": {"isolation_level": "AUTOCOMMIT"},
}


_STATEMENTS_BEFORE: Mapping[str, str] = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "BEGIN",
}

# They compare identifiers without regard to case, in the databases that Keystone makes.
_WITHOUT_CASE = ("mysql", "mariadb")

# Those that grow with a cloud.
_LARGE_SOURCES = (
    "project",
    "user",
    "user_group_membership",
    "assignment",
    "trust",
    "application_credential",
)


class Snapshot:
    """One state of Keystone's database.

    Attributes:
        kind: the name of the database system.
        read_at: epoch seconds before the state was fixed, by the clock of this host.
        release: the release of Keystone that has this schema.
    """

    def __init__(self, connection: Connection, configuration: Configuration, read_at: int) -> None:
        self._connection = connection
        self._configuration = configuration
        self.kind = connection.dialect.name
        self.read_at = read_at
        self._pack_identifier = OneSpelling().pack if self.kind in _WITHOUT_CASE else None
        self.release = self._verify_schema()

    def _verify_schema(self) -> str:
        heads = frozenset(self._connection.scalars(select(SOURCES["alembic_version"])))
        release = KNOWN_SCHEMAS.get(heads)
        if release is None:
            raise BundleUnreadable(
                f"the database has a schema that is not known: {', '.join(sorted(heads))}; known "
                f"are those of Keystone {', '.join(KNOWN_SCHEMAS.values())}"
            )
        return release

    def count_rows(self) -> int:
        """Return about how many rows the large tables have, for a progress bar."""
        try:
            return sum(
                self._connection.scalar(select(func.count()).select_from(SOURCES[name])) or 0
                for name in _LARGE_SOURCES
            )
        except SQLAlchemyError as error:
            raise BundleUnreadable(f"the database can't be read: {_describe(error)}") from error

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of one table of facts, packed, in no order.

        Read them all before asking for those of another table: some servers send one result at a
        time.

        Raises:
            BundleUnreadable: the database can't be read, or holds what a bundle can't.
        """
        return itertools.chain.from_iterable(self.portions(table))

    def portions(self, table: Table) -> Iterator[list[Row]]:
        """Yield what `rows` does, some thousands at a time."""
        return pack_portions(table, self._make_rows(table), self._pack_identifier)

    def _make_rows(self, table: Table) -> Iterator[Row]:
        if table.name == "settings":
            yield from self._configuration.settings.items()
            return
        query = QUERIES[table.name]
        try:
            with self._connection.execute(query.statement) as result:
                for some in result.partitions():
                    yield from query.rows(some, self._configuration)
        except (SQLAlchemyError, ValueError) as error:
            raise BundleUnreadable(f"{table.name!r} can't be read: {_describe(error)}") from error


class KeystoneDatabase:
    """Keystone's SQL database, or a replica of it; it is never written to.

    Args:
        url: SQLAlchemy's, as in Keystone's `[database] connection`; it may hold a password.
        configuration: what Keystone's configuration file says.

    Raises:
        BundleUnreadable: the URL is none, or its driver is not installed.
    """

    def __init__(self, url: str, configuration: Configuration) -> None:
        self._configuration = configuration
        try:
            self._engine: Engine = create_engine(make_url(url))
        except (ArgumentError, ImportError, SQLAlchemyError, ValueError) as error:
            # The message must not show the URL, which may hold a password.
            raise BundleUnreadable(
                f"the database's URL can't be used: {type(error).__name__}"
            ) from None
        if self._engine.dialect.name not in _IN_ONE_SNAPSHOT:
            raise BundleUnreadable(
                f"no snapshot can be made of a database of {self._engine.dialect.name}; it is "
                f"known how for {', '.join(_IN_ONE_SNAPSHOT)}"
            )

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open one state of the database; it ends with the context.

        Raises:
            BundleUnreadable: the database can't be read, or has a schema that is not known.
        """
        name = self._engine.dialect.name
        options: dict[str, Any] = {
            **_IN_ONE_SNAPSHOT[name],
            "stream_results": True,
            "yield_per": _ROWS_AT_A_TIME,
        }
        read_at = int(time.time())
        try:
            with self._engine.connect().execution_options(**options) as connection:
                if name in _STATEMENTS_BEFORE:
                    connection.exec_driver_sql(_STATEMENTS_BEFORE[name])
                # The first statement fixes the state that all others see.
                yield Snapshot(connection, self._configuration, read_at)
                if name == "sqlite":
                    connection.exec_driver_sql("ROLLBACK")
        except SQLAlchemyError as error:
            raise BundleUnreadable(f"the database can't be read: {_describe(error)}") from error
        finally:
            self._engine.dispose()


def _describe(error: Exception) -> str:
    # SQLAlchemy's own texts hold the statement and a link; the driver's say what happened.
    return str(getattr(error, "orig", None) or error).splitlines()[0]

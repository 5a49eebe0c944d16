"""What an export of Keystone's database into a bundle costs: rows a second, memory.

    python -m benchmarks export

The database is SQLite's, with Keystone's tables and as many assignments as `benchmarks.bundle` has;
it is made of such a bundle (AUTHMW_BENCH_BUNDLE) by SQL. It is exported to its end by two processes
where there are two cores: one reads, one writes. On a machine that others use, the slower one's
processor time says what the clock would say if it were quiet. Peak memory is what the kernel says
(`ru_maxrss`), with the interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from authmw.bundle.export import export
from authmw.bundle.export.reading import open_snapshot
from authmw.bundle.file import Origin
from authmw.bundle.keystone_configuration import Configuration
from authmw.bundle.keystone_sql.columns import KNOWN_SCHEMAS, SOURCES
from benchmarks.bundle_world import World, write_world
from benchmarks.measure import FULL, Effort
from benchmarks.table import Row

ROWS_BUDGET = 80_000
_ASSIGNMENTS = {FULL: (500_000, 5_000_000)}
_QUICK_ASSIGNMENTS = (20_000,)

# From a bundle's table: what Keystone's has. An id is text there.
_HEX = "CASE typeof({0}) WHEN 'blob' THEN lower(hex({0})) ELSE {0} END"
_COPIES = {
    "project": (
        "projects",
        {
            "id": "#id",
            "name": "name",
            "domain_id": "coalesce(#domain_id, '<<keystone.domain.root>>')",
            "parent_id": "#parent_id",
            "enabled": "enabled",
            "is_domain": "is_domain",
        },
    ),
    "user": ("users", {"id": "#id", "domain_id": "#domain_id", "enabled": "enabled"}),
    "local_user": ("users", {"user_id": "#id", "name": "name"}),
    "group": ("groups", {"id": "#id", "name": "name", "domain_id": "#domain_id"}),
    "user_group_membership": ("memberships", {"user_id": "#user_id", "group_id": "#group_id"}),
    "role": ("roles", {"id": "#id", "name": "name", "domain_id": "'<<null>>'"}),
    "implied_role": (
        "implied_roles",
        {"prior_role_id": "#prior_role_id", "implied_role_id": "#implied_role_id"},
    ),
    "assignment": (
        "assignments",
        {
            "type": "CASE actor_is_group WHEN 1 THEN 'GroupProject' ELSE 'UserProject' END",
            "actor_id": "#actor_id",
            "target_id": "#target_id",
            "role_id": "#role_id",
            "inherited": "inherited",
        },
    ),
}
# As in `benchmarks.bundle_world`, where there is one row for so many assignments; else all.
_ASSIGNMENTS_A_ROW = dict.fromkeys(_COPIES, 1) | {
    "project": 49,
    "user": 50,
    "local_user": 50,
    "user_group_membership": 5,
}


@dataclass(frozen=True, slots=True)
class Process:
    """What one process took: seconds of a processor, MiB at the most."""

    seconds: float
    mib: float


@dataclass(frozen=True, slots=True)
class Report:
    """What an export took.

    Attributes:
        rows: of the bundle.
        seconds: by the clock.
        writer: the process that writes, and reads too if there is no other.
        reader: the one that reads; zero if there is none.
    """

    rows: int
    seconds: float
    writer: Process
    reader: Process


def make_database(path: Path, bundle: Path, assignments: int) -> None:
    """Write a database with Keystone's tables, with so many assignments of a bundle."""
    connection = sqlite3.connect(path, isolation_level=None, uri=True)
    for pragma in ("journal_mode = OFF", "synchronous = OFF"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("ATTACH ? AS bundle", (f"file:{bundle}?mode=ro",))
    for name, source in SOURCES.items():
        columns = ", ".join(f'"{column.name}"' for column in source.columns)
        connection.execute(f'CREATE TABLE "{name}" ({columns})')
    connection.execute("BEGIN")
    heads = [(head,) for head in list(KNOWN_SCHEMAS)[-1]]
    connection.executemany("INSERT INTO alembic_version VALUES (?)", heads)
    for name, (table, columns_) in _COPIES.items():
        names = ", ".join(f'"{column}"' for column in columns_)
        values = ", ".join(
            value.replace("#" + word, _HEX.format(word))
            for value in columns_.values()
            for word in [value.partition("#")[2].partition(",")[0]]
        )
        limit = f" LIMIT {assignments // _ASSIGNMENTS_A_ROW[name]}"
        connection.execute(
            f'INSERT INTO main."{name}" ({names}) SELECT {values} FROM bundle."{table}"{limit}'
        )
    connection.execute("UPDATE local_user SET id = rowid")
    connection.execute("COMMIT")
    connection.close()


def _export(database: Path, path: Path, pipe: Connection) -> None:
    start = time.monotonic()
    with open_snapshot(f"sqlite:///{database}", Configuration({})) as snapshot:
        header = export(snapshot, path, Origin(1, snapshot.read_at, "a benchmark"))
    seconds = time.monotonic() - start
    pipe.send(Report(header.row_count, seconds, _used(RUSAGE_SELF), _used(RUSAGE_CHILDREN)))


def _used(who: int) -> Process:
    used = getrusage(who)
    return Process(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(database: Path, path: Path) -> Report:
    """Export a database in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_export, args=(database, path, theirs))
    process.start()
    theirs.close()
    try:
        report: Report = ours.recv()
    finally:
        process.join()
    return report


def run(effort: Effort) -> Iterator[Row]:
    """Measure and yield the rows of the table."""
    sizes = _ASSIGNMENTS.get(effort, _QUICK_ASSIGNMENTS)
    with tempfile.TemporaryDirectory() as folder:
        kept = os.environ.get("AUTHMW_BENCH_BUNDLE") if effort is FULL else None
        bundle = Path(kept or Path(folder) / "world")
        if not bundle.exists():
            write_world(bundle, World(sizes[-1]))
        for size in sizes:
            database = Path(folder) / "keystone.db"
            database.unlink(missing_ok=True)
            make_database(database, bundle, size)
            report = measure(database, Path(folder) / "bundle")
            what = f"export of {size:,} assignments ({report.rows:,} rows): "
            rate = report.rows / report.seconds
            yield Row(
                what + "rows a second",
                f"{rate:,.0f}",
                budget=f"{ROWS_BUDGET:,}",
                is_met=rate >= ROWS_BUDGET,
            )
            slower = max(report.writer.seconds, report.reader.seconds)
            yield Row(
                what + "rows a second of the slower process's time", f"{report.rows / slower:,.0f}"
            )
            for name, process in (("writer", report.writer), ("reader", report.reader)):
                share = process.seconds / report.rows * 1e6
                yield Row(
                    what + f"the {name}, a row and at its peak",
                    f"{share:.1f} µs, {process.mib:.0f} MiB",
                )

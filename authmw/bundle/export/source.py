"""What an export reads from, and the export itself: one pass over all tables into a file."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from authmw.bundle.facts import TABLES, Table
from authmw.bundle.file import Header, Origin, write_bundle
from authmw.bundle.packing import Row
from authmw.bundle.rare_collections import rare_collections

# Rows between two reports of progress.
_ROWS_A_REPORT = 5_000


class FactsSource(Protocol):
    """Where facts come from. A table may be read several times, and has the same rows each time.

    Attributes:
        read_at: epoch seconds: the facts are those of this time, or later.
    """

    @property
    def read_at(self) -> int: ...

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of a table, packed, in no order; raises BundleUnreadable or Outage.

        Read them all before asking for those of another table.
        """


def export(
    source: FactsSource,
    path: Path,
    origin: Origin,
    on_rows: Callable[[str, int], None] | None = None,
) -> Header:
    """Write all facts of a source to a bundle; a file that is there stays until the new is whole.

    Args:
        source: read once.
        path: of the bundle.
        origin: what the bundle says of its facts.
        on_rows: called now and then with a table's name and how many rows were read since.

    Raises:
        BundleUnreadable: a source can't be read.
        Outage: the identity service can't be asked.
        OSError: the file can't be written.
    """
    with rare_collections():
        return write_bundle(path, origin, _all_rows(source, on_rows))


def _all_rows(
    source: FactsSource, on_rows: Callable[[str, int], None] | None
) -> Iterator[tuple[str, Row]]:
    for table in TABLES:
        rows = source.rows(table)
        while some := list(itertools.islice(rows, _ROWS_A_REPORT)):
            yield from zip(itertools.repeat(table.name), some, strict=False)
            if on_rows is not None:
                on_rows(table.name, len(some))

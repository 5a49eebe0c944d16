"""Writes a bundle from a stream of rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from authmw.bundle.file.header import Header, Origin

Row = tuple[object, ...]


def write_bundle(path: Path, origin: Origin, rows: Iterable[tuple[str, Row]]) -> Header:
    """Write a bundle; a file that is there is replaced when the new one is whole and on disk.

    Memory is bounded; beside the file as much space again is used for a while.

    Args:
        path: of the file.
        origin: of the rows.
        rows: the name of a table (`authmw.bundle.facts.TABLES`) and a row of it, in any order.

    Returns:
        the header of the file.

    Raises:
        BundleUnreadable: a row is not of its table's form, or is there twice.
        OSError: the file can't be written; what was there stays.
    """
    raise NotImplementedError

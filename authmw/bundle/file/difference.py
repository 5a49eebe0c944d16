"""Makes the delta between two revisions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from authmw.bundle.facts import TABLES, Table
from authmw.bundle.file.delta import LARGEST_DELTA, DeltaHeader, encode_delta
from authmw.bundle.file.opening import Bundle, open_bundle
from authmw.bundle.file.placing import replacement_of
from authmw.bundle.file.rows import Row, encode_rows
from authmw.errors import BundleUnreadable

_ROWS_AT_A_TIME = 10_000
# Rows of one table that have no equal in the other revision, or none yet.
_MOST_DIFFERENT = 2_000_000


def make_delta(old: Path, new: Path, out: Path) -> DeltaHeader:
    """Write the delta that makes `new` of `old`; both are read once, whole.

    Raises:
        BundleUnreadable: a bundle can't be read, `new` is not newer, or so much changed that
            whoever has `old` should fetch `new`.
        OSError: the delta can't be written.
    """
    with open_bundle(old) as before, open_bundle(new) as after:
        base, result = before.header, after.header
        if base != result and result.origin.revision <= base.origin.revision:
            raise BundleUnreadable(
                f"revision {result.origin.revision} is not newer than {base.origin.revision}"
            )
        header = DeltaHeader(base.origin.revision, base.digest, result)
        with replacement_of(out) as written:
            _write(written, encode_delta(header, _changes(before, after)))
    return header


def _changes(before: Bundle, after: Bundle) -> Iterator[tuple[Table, list[bytes], list[bytes]]]:
    for table in TABLES:
        removed, added = differences(before.rows(table), after.rows(table))
        yield table, encode_rows(table, removed), encode_rows(table, added)


def differences(old: Iterable[Row], new: Iterable[Row]) -> tuple[set[Row], set[Row]]:
    """Return the rows that only one of two sorted streams has.

    Equal rows stand no further apart than as many rows as came and went before them, so what is
    held is bounded by the changes.

    Raises:
        BundleUnreadable: there are too many.
    """
    old_rows, new_rows = iter(old), iter(new)
    removed: set[Row] = set()
    added: set[Row] = set()
    while True:
        some_old = list(itertools.islice(old_rows, _ROWS_AT_A_TIME))
        some_new = list(itertools.islice(new_rows, _ROWS_AT_A_TIME))
        if not some_old and not some_new:
            return removed, added
        # Long stretches are equal as they are.
        if some_old == some_new:
            continue
        removed.update(some_old)
        added.update(some_new)
        both = removed & added
        removed -= both
        added -= both
        if len(removed) + len(added) > _MOST_DIFFERENT:
            raise BundleUnreadable("so much changed that a delta is no use: take the new bundle")


def _write(path: Path, parts: Iterable[bytes]) -> None:
    size = 0
    with open(path, "wb") as file:
        for part in parts:
            size += len(part)
            if size > LARGEST_DELTA:
                raise BundleUnreadable(
                    f"a delta of more than {LARGEST_DELTA} bytes is no use: take the new bundle"
                )
            file.write(part)

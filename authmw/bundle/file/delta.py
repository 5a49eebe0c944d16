"""The form of a delta: the rows that went and came between two revisions.

A delta is a sequence of CBOR arrays: its header, and then for each table with changes, in the order
of `authmw.bundle.facts.TABLES`, how many rows went and came, those that went, and those that came,
both sorted by their bytes. One change has one form.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authmw.bundle.facts import TABLES, Table
from authmw.bundle.file.cbor import Decoder, Value, encode_array
from authmw.bundle.file.header import FORMAT_VERSION, Header, parse_header
from authmw.bundle.file.rows import Row, verify_row
from authmw.errors import BundleUnreadable

# Bytes. A greater change is cheaper to fetch as a whole bundle.
LARGEST_DELTA: Final = 1 << 26

_KIND: Final = "authmw bundle delta"
_LONGEST_HEADER: Final = 4096
_ROWS_AT_A_TIME: Final = 10_000
_PLACES: Final = {table.name: place for place, table in enumerate(TABLES)}


@dataclass(frozen=True, slots=True)
class DeltaHeader:
    """What a delta says of itself.

    Attributes:
        base_revision, base_digest: of the revision that it changes.
        result: the header of the revision that comes out.
    """

    base_revision: int
    base_digest: bytes
    result: Header


@dataclass(frozen=True, slots=True)
class Change:
    """Some rows of one table that went or came.

    Attributes:
        table: whose rows they are.
        is_removal: whether they went.
        rows, encoded: the rows, and the bytes of each.
    """

    table: Table
    is_removal: bool
    rows: Sequence[Row]
    encoded: Sequence[bytes]


def encode_delta(
    header: DeltaHeader, changes: Iterable[tuple[Table, Sequence[bytes], Sequence[bytes]]]
) -> Iterator[bytes]:
    """Yield the parts of a delta.

    Args:
        header: of the delta.
        changes: of each table, in the order of `TABLES`, the encoded rows that went and came.
    """
    base = (header.base_revision, header.base_digest)
    yield encode_array((_KIND, FORMAT_VERSION, *base, *header.result.values))
    for table, removed, added in changes:
        if removed or added:
            yield encode_array((table.name, len(removed), len(added)))
            yield from sorted(removed)
            yield from sorted(added)


def read_delta_header(path: Path) -> DeltaHeader:
    """Read the first part of a delta.

    Raises:
        BundleUnreadable: it is no delta of our format.
        OSError: it can't be read.
    """
    return _read_header(Decoder(_read(path, _LONGEST_HEADER)))


class Delta:
    """A delta that may be hostile.

    Args:
        path: of the file; at most `LARGEST_DELTA` bytes are read.

    Raises:
        BundleUnreadable: it is no delta of our format, or too large.
        OSError: it can't be read.
    """

    def __init__(self, path: Path) -> None:
        encoded = _read(path, LARGEST_DELTA + 1)
        if len(encoded) > LARGEST_DELTA:
            raise BundleUnreadable(f"the delta has more than {LARGEST_DELTA} bytes")
        self._encoded = encoded
        self._decoder = Decoder(encoded)
        self.header = _read_header(self._decoder)

    def changes(self) -> Iterator[Change]:
        """Yield the changes in the order in which they are to be made; once.

        Raises:
            BundleUnreadable: the delta is not of our form, or its rows are out of their order.
        """
        place = -1
        while not self._decoder.is_at_end:
            name, removed, added = _parse_table(self._decoder.read_array())
            if _PLACES.get(name, -1) <= place:
                raise BundleUnreadable("the delta's tables are unknown, or out of order")
            place = _PLACES[name]
            table = TABLES[place]
            yield from self._read_rows(table, removed, is_removal=True)
            yield from self._read_rows(table, added, is_removal=False)

    def _read_rows(self, table: Table, count: int, *, is_removal: bool) -> Iterator[Change]:
        decoder, last = self._decoder, b""
        left = iter(range(count))
        while portion := len(list(itertools.islice(left, _ROWS_AT_A_TIME))):
            rows: list[Row] = []
            encoded: list[bytes] = []
            for _ in range(portion):
                start = decoder.position
                row = decoder.read_array()
                verify_row(table, row)
                # Canonical, since the decoder takes no other form.
                one = self._encoded[start : decoder.position]
                if one <= last:
                    raise BundleUnreadable(f"the delta's rows of {table.name!r} are not sorted")
                rows.append(row)
                encoded.append(one)
                last = one
            yield Change(table, is_removal, rows, encoded)


def _read(path: Path, most: int) -> bytes:
    # Not blocking: a FIFO would have no end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BundleUnreadable(f"{path} is no regular file")
        return file.read(most)


def _read_header(decoder: Decoder) -> DeltaHeader:
    values = decoder.read_array()
    if values[:1] != (_KIND,):
        raise BundleUnreadable("it is no delta of a bundle")
    version = values[1] if len(values) > 1 else None
    if version != FORMAT_VERSION:
        raise BundleUnreadable(
            f"the delta has format {version!r:.20}, and this authmw reads format {FORMAT_VERSION}"
        )
    revision, digest = values[2:4] if len(values) > 3 else (None, None)
    if type(revision) is not int or not isinstance(digest, bytes):
        raise BundleUnreadable("the delta names no base")
    return DeltaHeader(revision, digest, parse_header(values[4:]))


def _parse_table(values: tuple[Value, ...]) -> tuple[str, int, int]:
    """Return the name of a table, and how many of its rows went and came."""
    match values:
        case (str(name), int(removed), int(added)) if min(removed, added) >= 0:
            return name, removed, added
    raise BundleUnreadable("the delta has no table with the numbers of its rows")

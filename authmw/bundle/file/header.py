"""What a bundle says of itself: which revision it is, when and where it was read, its digest."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass
from typing import Final

from authmw.bundle.file.digest import MOST_ROWS, SUM_BYTES, StateSum
from authmw.errors import BundleUnreadable

# To be raised with every change of the tables, of `Header`, of a row's encoding or of the digest.
FORMAT_VERSION: Final = 1
# Characters.
LONGEST_SOURCE: Final = 200

END_OF_TIME: Final = 253_402_214_400
"""9999-12-31: the last day that `datetime` knows; no revision has as many."""

_COLUMNS: Final = (
    '"revision" INTEGER NOT NULL',
    '"read_at" INTEGER NOT NULL',
    '"source" TEXT NOT NULL',
    '"revocation_polled_at" INTEGER',
    '"revocation_complete_from" INTEGER',
    '"row_count" INTEGER NOT NULL',
    '"digest" BLOB NOT NULL',
    '"sum" BLOB NOT NULL',
)
# One row: the header, with the sum that its digest is of.
CREATE_HEADER: Final = f'CREATE TABLE "bundle" ({", ".join(_COLUMNS)})'
_INSERT: Final = f"INSERT INTO bundle VALUES ({', '.join('?' for _ in _COLUMNS)})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the facts of a revision come from.

    Attributes:
        revision: counts the revisions of one centre, from 1 on; a later one has a greater number.
        read_at: epoch seconds before the state of the database was fixed.
        source: for people: what was read, at most `LONGEST_SOURCE` printable characters.
        revocation_polled_at: epoch seconds at which the revocation events were read; None: the
            bundle has none.
        revocation_complete_from: epoch seconds: every event that can cover a token issued then or
            later is in the bundle (`authmw.revocation.index`).
    """

    revision: int
    read_at: int
    source: str
    revocation_polled_at: int | None = None
    revocation_complete_from: int | None = None

    @property
    def events_complete_from(self) -> int:
        """From which time on no event is missing; whoever does not say so may lack any."""
        if self.revocation_polled_at is None:
            return 0
        said = self.revocation_complete_from
        return END_OF_TIME if said is None else said


@dataclass(frozen=True, slots=True)
class Header:
    """What a bundle says of itself.

    Attributes:
        origin: of its facts.
        row_count: of all tables.
        digest: 32 bytes, the state digest: of the rows alone (`authmw.bundle.file.digest`).
    """

    origin: Origin
    row_count: int
    digest: bytes

    @property
    def values(self) -> tuple[object, ...]:
        """All of it, in the order in which files and deltas have it."""
        return (*astuple(self.origin), self.row_count, self.digest)


def parse_header(values: tuple[object, ...]) -> Header:
    """Make a header of its `values`, which may be hostile.

    Raises:
        BundleUnreadable: one is of another form.
    """
    if len(values) != 7:
        raise BundleUnreadable(f"the header has {len(values)} values")
    revision, read_at, source, polled_at, complete_from, row_count, digest = values
    if not isinstance(source, str) or len(source) > LONGEST_SOURCE or not source.isprintable():
        raise _malformed("source")
    if not isinstance(digest, bytes) or len(digest) != 32:
        raise _malformed("digest")
    origin = Origin(
        _whole("revision", revision, least=1),
        _whole("read_at", read_at),
        source,
        None if polled_at is None else _whole("revocation_polled_at", polled_at),
        None if complete_from is None else _whole("revocation_complete_from", complete_from),
    )
    return Header(origin, _whole("row_count", row_count, most=MOST_ROWS), digest)


def _whole(name: str, value: object, *, least: int = 0, most: int = END_OF_TIME) -> int:
    if type(value) is not int or not least <= value <= most:
        raise _malformed(name)
    return value


def _malformed(name: str) -> BundleUnreadable:
    return BundleUnreadable(f"the header has no {name!r} of its form")


def write_header(connection: sqlite3.Connection, header: Header, state: StateSum) -> None:
    """Replace the header in a file. Raises sqlite3.Error."""
    connection.execute("DELETE FROM bundle")
    connection.execute(_INSERT, (*header.values, state.total))


def read_header(connection: sqlite3.Connection) -> tuple[Header, StateSum]:
    """Read the header of a file, and the sum over its rows.

    Raises:
        BundleUnreadable: it is of another form, or digest and sum belong to different files.
        sqlite3.Error: the file can't be read.
    """
    rows = connection.execute("SELECT * FROM bundle LIMIT 2").fetchall()
    if len(rows) != 1:
        raise BundleUnreadable("the file has no header, or several")
    *values, total = rows[0]
    header = parse_header(tuple(values))
    if not isinstance(total, bytes) or len(total) != SUM_BYTES:
        raise _malformed("sum")
    state = StateSum(total)
    if state.digest != header.digest:
        raise BundleUnreadable("the header's digest is of another sum than the header's own")
    return header, state

"""Packs what Keystone says into rows of facts, as SQLite holds them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from authmw.bundle.facts import Column, Kind, Table, pack_id, pack_json
from authmw.errors import BundleUnreadable

Row = tuple[Any, ...]

_ROWS_AT_A_TIME = 10_000


class OneSpelling:
    """Packs identifiers of a database that compares them without regard to case (MariaDB, MySQL).

    There, an assignment to `4F...` is one to the user `4f...`. Whoever reads a bundle compares
    bytes, so an identifier gets one spelling: hexadecimal digits are lower-case, as Keystone makes
    them. Others are left as they are, and refused if two differ in case alone.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def pack(self, value: object) -> bytes | str:
        """Return what `pack_id` returns for the one spelling.

        Raises:
            BundleUnreadable: another identifier differs from this one in case alone.
        """
        text = _pack_text(value)
        packed = pack_id(text)
        if isinstance(packed, bytes):
            return packed
        packed = pack_id(text.lower())
        if isinstance(packed, bytes):
            return packed
        known = self._known.setdefault(text.casefold(), text)
        if known != text:
            raise BundleUnreadable(
                f"the identifiers {known!r} and {text!r} differ in case alone, and the database "
                "takes them for one: write one of them everywhere"
            )
        return text


def pack_rows(
    table: Table,
    rows: Iterable[Row],
    pack_identifier: Callable[[object], bytes | str] | None = None,
) -> Iterator[Row]:
    """Return rows as SQLite holds them, thousands ahead; see `pack_portions`."""
    return itertools.chain.from_iterable(pack_portions(table, rows, pack_identifier))


def pack_portions(
    table: Table,
    rows: Iterable[Row],
    pack_identifier: Callable[[object], bytes | str] | None = None,
) -> Iterator[list[Row]]:
    """Yield rows as SQLite holds them, some thousands at a time.

    Args:
        table: that they are of.
        rows: not packed.
        pack_identifier: packs identifiers; None: as they are.

    Raises:
        BundleUnreadable: a value is NULL that must not be, or of another type.
    """
    packers = _PACKERS if pack_identifier is None else {**_PACKERS, Kind.ID: pack_identifier}
    # Column by column, which takes a third of the time.
    rows = iter(rows)
    while some := list(itertools.islice(rows, _ROWS_AT_A_TIME)):
        try:
            columns = zip(*some, strict=True)
            packed = [
                _pack_column(column, values, packers)
                for column, values in zip(table.columns, columns, strict=True)
            ]
        except (TypeError, ValueError, AttributeError) as error:
            raise BundleUnreadable(f"a row of {table.name!r} can't be read: {error}") from error
        yield list(zip(*packed, strict=True))


def _pack_column(column: Column, values: Sequence[Any], packers: _Packers) -> Iterable[Any]:
    pack = packers[column.kind]
    if column.kind is Kind.JSON:
        return [pack(value) for value in values]
    # Many rows have the same role, target or flag.
    packed = {value: pack(value) for value in set(values) if value is not None}
    if column.optional:
        packed[None] = None
    elif None in values:
        packed[None] = pack(None)
    return map(packed.__getitem__, values)


def _pack_id(value: object) -> bytes | str:
    return pack_id(_pack_text(value))


def _pack_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of text")
    return value


def _pack_integer(value: Any) -> int:
    return int(value)


_Packers = Mapping[Kind, Callable[[Any], Any]]
_PACKERS: Final[_Packers] = {
    Kind.ID: _pack_id,
    Kind.TEXT: _pack_text,
    Kind.BOOLEAN: lambda value: int(bool(value)),
    Kind.INTEGER: _pack_integer,
    Kind.TIME: _pack_integer,
    Kind.JSON: pack_json,
}


def to_microseconds(value: datetime | date) -> int:
    """Return a time of the database, which is UTC, in microseconds since 1970."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def parse_time(text: str | None) -> int | None:
    """Return a time of the API, ISO 8601, in microseconds since 1970; None for None."""
    return None if text is None else to_microseconds(datetime.fromisoformat(text))

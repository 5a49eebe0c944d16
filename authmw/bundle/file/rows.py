"""The form of a row: which values each column may hold, and the bytes that stand for a row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from authmw.bundle.facts import TABLES, Kind, Table, pack_id, pack_json
from authmw.bundle.file.cbor import encode_array
from authmw.errors import BundleUnreadable

Row = tuple[object, ...]


def encode_rows(table: Table, rows: Iterable[Row]) -> list[bytes]:
    """Verify rows of one table, and encode them (`authmw.bundle.file.cbor`).

    Raises:
        BundleUnreadable: a row is not of its table's form; names the column at fault.
    """
    is_usual = _USUAL[table.name]
    encoded = []
    for row in rows:
        one = encode_array(row)
        # Most rows hold identifiers and booleans alone.
        if not is_usual(one):
            verify_row(table, row)
        encoded.append(one)
    return encoded


def verify_row(table: Table, row: Row) -> None:
    """Verify that a row is of its table's form (`authmw.bundle.facts.Kind`).

    Raises:
        BundleUnreadable: names the column at fault.
    """
    if len(row) != len(table.columns):
        raise BundleUnreadable(f"a row of {table.name!r} has {len(row)} values")
    for value, column in zip(row, table.columns, strict=True):
        if not (value is None and column.optional) and not _IS_VALUE[column.kind](value):
            raise BundleUnreadable(f"a row of {table.name!r} has no {column.name!r} of its form")


def _is_id(value: object) -> bool:
    if isinstance(value, bytes):
        return len(value) in (16, 32)
    return isinstance(value, str) and pack_id(value) == value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return type(value) is int


def _is_boolean(value: object) -> bool:
    return type(value) is int and 0 <= value <= 1


def _is_json(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return pack_json(json.loads(value)) == value
    except (ValueError, RecursionError):
        return False


_IS_VALUE: Final[Mapping[Kind, Callable[[object], bool]]] = {
    Kind.ID: _is_id,
    Kind.TEXT: _is_text,
    Kind.BOOLEAN: _is_boolean,
    Kind.INTEGER: _is_integer,
    Kind.TIME: _is_integer,
    Kind.JSON: _is_json,
}
# Encodings that are known to be of the table's form at one look.
_USUAL_VALUES: Final = {Kind.ID: rb"(?:\x50.{16}|\x58\x20.{32})", Kind.BOOLEAN: rb"[\x00\x01]"}


def _usual(table: Table) -> Callable[[bytes], object]:
    values = [_USUAL_VALUES.get(column.kind, b"(?!)") for column in table.columns]
    head = bytes((0x80 | len(values),))
    return re.compile(re.escape(head) + b"".join(values), re.DOTALL).fullmatch


_USUAL: Final = {table.name: _usual(table) for table in TABLES}

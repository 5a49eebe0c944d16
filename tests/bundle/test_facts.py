"""The tables of a bundle, and how identifiers and JSON are packed."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.bundle.facts import TABLES, Kind, pack_id, pack_json, unpack_id

HEX_IDS = st.sampled_from([32, 64]).flatmap(
    lambda length: st.text("0123456789abcdef", min_size=length, max_size=length)
)


def test_every_table_can_be_made_and_filled() -> None:
    database = sqlite3.connect(":memory:")
    values = {Kind.ID: b"\0" * 16, Kind.TEXT: "x", Kind.JSON: "{}"}
    for table in TABLES:
        database.execute(table.create_statement)
        row = tuple(values.get(column.kind, 1) for column in table.columns)
        database.execute(table.insert_statement, row)
        assert database.execute(f'SELECT * FROM "{table.name}"').fetchall() == [row]
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(table.insert_statement, row)
    database.close()


def test_key_columns_are_never_optional() -> None:
    assert not [
        (table.name, column.name) for table in TABLES for column in table.key if column.optional
    ]


@given(HEX_IDS)
def test_hexadecimal_id_takes_half_of_its_length(identifier: str) -> None:
    packed = pack_id(identifier)
    assert len(packed) == len(identifier) // 2
    assert unpack_id(packed) == identifier


@given(
    st.one_of(st.text(max_size=70), HEX_IDS.map(str.upper), HEX_IDS.map(lambda text: text + "\n"))
)
def test_every_id_is_unpacked_as_it_was(identifier: str) -> None:
    assert unpack_id(pack_id(identifier)) == identifier


def test_one_value_has_one_json_text() -> None:
    assert pack_json({"b": 1, "a": ["ü", None]}) == '{"a":["ü",null],"b":1}'

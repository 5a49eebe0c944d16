"""The vectors of doc/bundle_format.rst, for other languages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from authmw.bundle.facts import TABLES, TABLES_BY_NAME
from authmw.bundle.file import (
    Confirmation,
    HotFile,
    Origin,
    apply_delta,
    hot_path,
    make_delta,
    read_hot,
    verify_bundle,
    write_bundle,
    write_hot,
)
from authmw.bundle.file.database import APPLICATION_ID
from authmw.bundle.file.digest import StateSum
from authmw.bundle.file.header import CREATE_HEADER, FORMAT_VERSION
from authmw.bundle.file.rows import Row, encode_rows
from authmw.errors import BundleUnreadable
from tests.support.programs import ROOT

VECTORS = Path(__file__).with_name("vectors")
DOCUMENT = (ROOT / "doc" / "bundle_format.rst").read_text()


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


ROWS = load("rows.json")
OLD, NEW = load("states.json")


def row_of(vector: dict[str, Any]) -> Row:
    return tuple(
        bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in vector["row"]
    )


def write(path: Path, state: dict[str, Any]) -> None:
    rows = [(ROWS[place]["table"], row_of(ROWS[place])) for place in state["rows"]]
    write_bundle(path, Origin(*state["origin"]), rows)


@pytest.mark.parametrize("vector", ROWS)
def test_rows_are_encoded_and_hashed_as_the_vectors_say(vector: dict[str, Any]) -> None:
    table = TABLES_BY_NAME[vector["table"]]
    encoded = encode_rows(table, [row_of(vector)])
    assert encoded[0].hex() == vector["encoded"]
    state = StateSum()
    state.add(table.name, encoded)
    assert state.total.hex()[:32] == vector["hash_begins"]
    assert state.total.hex()[-32:] == vector["hash_ends"]


@pytest.mark.parametrize("state", [OLD, NEW])
def test_digests_are_those_of_the_vectors(state: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "bundle", state)
    header = verify_bundle(tmp_path / "bundle")
    assert header.digest.hex() == state["digest"]
    total = StateSum()
    for place in state["rows"]:
        vector = ROWS[place]
        total.add(vector["table"], [bytes.fromhex(vector["encoded"])])
    assert hashlib.sha256(total.total).hexdigest() == state["sum_sha256"]


def test_hot_file_is_that_of_the_vectors(tmp_path: Path) -> None:
    hot = load("hot.json")
    said = hot["confirmation"]
    confirmation = Confirmation(bytes.fromhex(said["digest"]), said["revision"], said["read_at"])
    assert said["digest"] == NEW["digest"]
    rows = [(ROWS[place]["table"], row_of(ROWS[place])) for place in hot["rows"]]
    events = [row for row in rows if row[0] == "revocation_events"]
    write_bundle(tmp_path / "events", Origin(*hot["origin"]), events)
    header = write_hot(tmp_path / "bundle", confirmation, tmp_path / "events")
    assert (header.digest.hex(), header.row_count) == (hot["digest"], hot["row_count"])
    assert verify_bundle(hot_path(tmp_path / "bundle")) == header
    write_bundle(hot_path(tmp_path / "other"), Origin(*hot["origin"]), rows)
    expected = HotFile(header, confirmation, frozenset(str(row[1]) for _, row in events))
    assert read_hot(hot_path(tmp_path / "bundle")) == expected
    assert read_hot(hot_path(tmp_path / "other")) == expected


def test_delta_is_that_of_the_vectors(tmp_path: Path) -> None:
    old, new, delta = tmp_path / "old", tmp_path / "new", tmp_path / "delta"
    write(old, OLD)
    write(new, NEW)
    make_delta(old, new, delta)
    assert delta.read_bytes().hex() == (VECTORS / "delta.hex").read_text().strip()
    assert apply_delta(old, delta).digest.hex() == NEW["digest"]


@pytest.mark.parametrize("vector", load("refused.json"), ids=lambda vector: vector["why"])
def test_deltas_of_the_vectors_are_refused(vector: dict[str, str], tmp_path: Path) -> None:
    bundle, delta = tmp_path / "bundle", tmp_path / "delta"
    write(bundle, OLD)
    before = bundle.read_bytes()
    delta.write_bytes(bytes.fromhex(vector["delta"]))
    with pytest.raises(BundleUnreadable):
        apply_delta(bundle, delta)
    assert bundle.read_bytes() == before


# --- the document


def test_tables_have_not_changed_without_a_new_format() -> None:
    """If this fails, the tables changed: raise FORMAT_VERSION, unless the format is unreleased."""
    schema = "\n".join([CREATE_HEADER, *(table.create_statement for table in TABLES)])
    assert f"SHA-256 of the statements: ``{hashlib.sha256(schema.encode()).hexdigest()}``" in (
        " ".join(DOCUMENT.split())
    )


def test_document_has_every_table() -> None:
    words = DOCUMENT.split()
    for table in TABLES:
        assert f"``{table.name}``" in words
        for column in table.columns:
            assert column.name in DOCUMENT


def test_document_has_the_numbers_of_the_file() -> None:
    assert f"``application_id`` {APPLICATION_ID:#x}" in DOCUMENT
    assert f"``user_version`` {FORMAT_VERSION}" in DOCUMENT

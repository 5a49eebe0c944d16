"""The hot file: revocation events and a confirmation, written in one step, read with care."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.bundle.file import (
    Confirmation,
    Header,
    apply_delta,
    hot_path,
    make_delta,
    read_hot,
    verify_bundle,
    write_hot,
)
from authmw.bundle.file.hot import LARGEST_HOT_BYTES
from authmw.bundle.hot_events import HotEvents
from authmw.bundle.revision import Revision
from authmw.errors import BundleUnreadable
from tests.support.bundle_facts import NEW_ORIGIN, OLD_ORIGIN, READ_AT, Fact, facts, write

CONFIRMATION = Confirmation(b"d" * 32, 12, READ_AT + 60)


def event(number: int) -> Fact:
    return "revocation_events", (number, f'{{"audit_id":"{number}"}}')


def write_events(path: Path, count: int = 3) -> Header:
    return write(path, [event(number) for number in range(count)])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "cloud.bundle"


@pytest.mark.parametrize("confirmation", [None, CONFIRMATION])
def test_a_hot_file_says_what_was_written(
    bundle: Path, tmp_path: Path, confirmation: Confirmation | None
) -> None:
    write_events(tmp_path / "events")
    header = write_hot(bundle, confirmation, tmp_path / "events")
    read = read_hot(hot_path(bundle))
    assert (read.header, read.confirmation) == (header, confirmation)
    assert read.header.origin == OLD_ORIGIN
    assert read.events == {f'{{"audit_id":"{number}"}}' for number in range(3)}
    assert verify_bundle(hot_path(bundle)) == header


def test_the_confirmation_alone_changes(bundle: Path, tmp_path: Path) -> None:
    write_events(tmp_path / "events")
    first = write_hot(bundle, CONFIRMATION, tmp_path / "events")
    later = replace(CONFIRMATION, revision=13)
    write_hot(bundle, later)
    read = read_hot(hot_path(bundle))
    assert (read.confirmation, len(read.events)) == (later, 3)
    verify_bundle(hot_path(bundle))
    assert write_hot(bundle, CONFIRMATION) == first
    write_hot(bundle, None)
    assert read_hot(hot_path(bundle)).confirmation is None
    assert verify_bundle(hot_path(bundle)).digest == verify_bundle(tmp_path / "events").digest


def test_events_that_a_delta_brings_keep_no_older_confirmation(
    bundle: Path, tmp_path: Path
) -> None:
    """What the centre publishes has no confirmation: its chain of deltas goes on beside it."""
    events = tmp_path / "events"
    write_events(events)
    write(tmp_path / "next", [event(number) for number in range(5)], NEW_ORIGIN)
    make_delta(events, tmp_path / "next", tmp_path / "delta")
    write_hot(bundle, CONFIRMATION, events)
    apply_delta(events, tmp_path / "delta")
    write_hot(bundle, None, events)
    read = read_hot(hot_path(bundle))
    assert (len(read.events), read.confirmation) == (5, None)
    assert read.header.origin == NEW_ORIGIN


def test_there_is_nothing_to_change_without_a_hot_file(bundle: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_hot(bundle, CONFIRMATION)
    assert os.listdir(bundle.parent) == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([*facts(), event(1)], "has rows in 'projects'"),
        ([event(1), ("settings", ("admin_project", "{}"))], "other settings than 'confirms'"),
        ([event(1), ("settings", ("confirms", "{}"))], "its confirmation"),
        ([event(1), ("settings", ("confirms", '{"digest":"00","read_at":1,"revision":1}'))], "32"),
        (
            [
                event(1),
                (
                    "settings",
                    ("confirms", f'{{"digest":"{"0" * 64}","read_at":true,"revision":1}}'),
                ),
            ],
            "read_at",
        ),
        (
            [
                event(1),
                (
                    "settings",
                    ("confirms", f'{{"digest":"{"0" * 64}","more":1,"read_at":1,"revision":1}}'),
                ),
            ],
            "other members",
        ),
    ],
    ids=["grants", "setting", "empty", "short digest", "boolean", "more members"],
)
def test_a_file_with_anything_else_is_no_hot_file(
    bundle: Path, rows: list[Fact], reason: str
) -> None:
    write(hot_path(bundle), rows)
    with pytest.raises(BundleUnreadable, match=reason):
        read_hot(hot_path(bundle))


def test_a_whole_bundle_is_no_source_of_events(bundle: Path, tmp_path: Path) -> None:
    write_events(tmp_path / "events")
    write_hot(bundle, CONFIRMATION, tmp_path / "events")
    before = hot_path(bundle).read_bytes()
    write(tmp_path / "grants", facts())
    for source in ("grants", "garbage"):
        (tmp_path / "garbage").write_bytes(b"garbage" * 1000)
        with pytest.raises(BundleUnreadable):
            write_hot(bundle, CONFIRMATION, tmp_path / source)
        assert hot_path(bundle).read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["cloud.bundle.hot", "events", "garbage", "grants"]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM revocation_events WHERE revoked_at = 1",
        "INSERT INTO revocation_events VALUES (9, '{}')",
        "UPDATE revocation_events SET event = X'35' WHERE revoked_at = 1",
        "UPDATE bundle SET digest = zeroblob(32)",
        "UPDATE settings SET value = '[]'",
    ],
)
def test_a_file_that_was_changed_is_refused(bundle: Path, tmp_path: Path, statement: str) -> None:
    write_events(tmp_path / "events")
    write_hot(bundle, CONFIRMATION, tmp_path / "events")
    with closing(sqlite3.connect(hot_path(bundle), isolation_level=None)) as connection:
        connection.execute(statement)
    with pytest.raises(BundleUnreadable):
        read_hot(hot_path(bundle))


@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.sampled_from([100, 4096, 1 << 20]),
)
@settings(max_examples=300, deadline=None)
def test_damaged_bytes_are_refused_or_are_another_hot_file(
    changes: list[tuple[float, int]], within: int
) -> None:
    """Whatever is there, nothing but BundleUnreadable is raised."""
    content = bytearray(_HOT_FILE)
    for place, value in changes:
        content[int(place * min(within, len(content)))] = value
    with TemporaryDirectory() as folder:
        path = Path(folder) / "b.hot"
        path.write_bytes(content)
        for read in (lambda: HotEvents(str(path), 100), lambda: Revision(str(path), 100).close()):
            with contextlib.suppress(BundleUnreadable):
                read()


def _make_hot_file() -> bytes:
    with TemporaryDirectory() as folder:
        write_events(Path(folder) / "events", 50)
        write_hot(Path(folder) / "b", CONFIRMATION, Path(folder) / "events")
        return (Path(folder) / "b.hot").read_bytes()


_HOT_FILE = _make_hot_file()


def test_a_file_of_more_than_fits_in_memory_is_not_read(bundle: Path) -> None:
    write_events(hot_path(bundle))
    os.truncate(hot_path(bundle), LARGEST_HOT_BYTES + 4096)
    with pytest.raises(BundleUnreadable, match="more than"):
        read_hot(hot_path(bundle))


@pytest.mark.parametrize(
    "values",
    [
        (b"d" * 31, 1, 1),
        ("d" * 32, 1, 1),
        (b"d" * 32, 0, 1),
        (b"d" * 32, True, 1),
        (b"d" * 32, 1, -1),
        (b"d" * 32, 1, 1 << 40),
    ],
)
def test_a_confirmation_has_values_of_its_form(values: tuple[bytes, int, int]) -> None:
    with pytest.raises(ValueError, match="of a confirmation"):
        Confirmation(*values)

"""Files that somebody else made, or that lie where nobody expects them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from authmw.bundle.file import (
    Header,
    apply_delta,
    install_bundle,
    make_delta,
    open_bundle,
    verify_bundle,
)
from authmw.bundle.file.header import Origin
from authmw.errors import BundleUnreadable
from tests.support.bundle_facts import READ_AT, changed, facts, user, write, write_delta

_SERVICE = "INSERT INTO services VALUES ({}, 'type', 'name', 1)"
_ENDPOINT = "INSERT INTO endpoints VALUES ('e', 's', 'public', {}, 'http://x', 1, '{{}}')"


@pytest.mark.parametrize(
    "statements",
    [
        [_SERVICE.format(5)],
        [_SERVICE.format("'s'"), _ENDPOINT.format(5)],
        ["INSERT INTO roles VALUES ('r', 'n', NULL, X'FF')"],
        [f"INSERT INTO settings VALUES ('x', '{'[' * 50_000}')"],
    ],
    ids=["service", "region", "no UTF-8", "deep JSON"],
)
@pytest.mark.parametrize("read", [open_bundle, verify_bundle])
def test_row_of_another_form_makes_a_file_unreadable(
    tmp_path: Path, read: Callable[[Path], object], statements: list[str]
) -> None:
    path = tmp_path / "bundle"
    write(path, facts())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    with pytest.raises(BundleUnreadable):
        read(path)


@pytest.mark.parametrize("read", [open_bundle, verify_bundle])
def test_schema_that_is_no_text_makes_a_file_unreadable(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    """SQLite's message holds bytes of the file."""
    path = tmp_path / "bundle"
    write(path, facts())
    schema = b'CREATE TABLE "users"'
    content = path.read_bytes()
    assert content.count(schema) == 1
    path.write_bytes(content.replace(schema, b'CREATE \xffABLE "users"'))
    with pytest.raises(BundleUnreadable):
        read(path)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", '{"a":NaN}'])
def test_number_that_json_does_not_have_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BundleUnreadable, match="value"):
        write(tmp_path / "bundle", [("settings", ("x", text))])


def test_bundle_is_installed_from_another_file_system(tmp_path: Path) -> None:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        new = Path(folder) / "new"
        assert new.parent.stat().st_dev != tmp_path.stat().st_dev
        header = write(new, facts())
        assert install_bundle(tmp_path / "bundle", new) == header
    assert verify_bundle(tmp_path / "bundle") == header


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_bundle_that_has_another_name_too_is_kept_under_it(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    """An archive of old revisions, or a link to the one in force."""
    path, header, deltas = _two_deltas(tmp_path)
    kept = tmp_path / "kept"
    path.rename(kept)
    link(kept, path)
    for delta in deltas:
        apply_delta(path, delta)
    assert verify_bundle(path).origin.revision == 9
    assert not path.is_symlink()
    assert verify_bundle(kept) == header


def _two_deltas(folder: Path) -> tuple[Path, Header, list[Path]]:
    """Return a bundle, its header, and the deltas to the next two revisions."""
    path, after, delta = write_delta(folder, facts(), changed(facts()))
    header = verify_bundle(path)
    last = folder / "last"
    write(last, [*changed(facts()), user(5_000)], Origin(9, READ_AT + 60, "a test"))
    next_delta = folder / "next delta"
    make_delta(after, last, next_delta)
    return path, header, [delta, next_delta]

"""Writing, opening and verifying the file of a bundle."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from authmw.bundle.facts import TABLES
from authmw.bundle.file import (
    FORMAT_VERSION,
    Header,
    Origin,
    install_bundle,
    open_bundle,
    verify_bundle,
    write_bundle,
)
from authmw.errors import BundleUnreadable
from tests.support.bundle_facts import (
    FACTS,
    NEW_ORIGIN,
    OLD_ORIGIN,
    Fact,
    assignment,
    changed,
    facts,
    identifier,
    user,
    write,
)


def rows_of(path: Path) -> list[Fact]:
    with open_bundle(path) as bundle:
        return [(table.name, row) for table in TABLES for row in bundle.rows(table)]


@given(FACTS)
@settings(max_examples=30, deadline=None)
def test_rows_are_read_back_as_they_were_written(rows: list[Fact]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        header = write(path, rows)
        assert header == verify_bundle(path) == Header(OLD_ORIGIN, len(rows), header.digest)
        assert sorted(map(repr, rows_of(path))) == sorted(map(repr, rows))


def test_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    one = write(tmp_path / "one", facts())
    other = write(tmp_path / "other", reversed(facts()))
    assert one == other
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_look_ups_see_the_facts(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    write(path, facts())
    with open_bundle(path) as bundle:
        read = bundle.facts
        assert read.read_at == OLD_ORIGIN.read_at
        assert read.settings == {"max_redelegation_count": 3}
        found = read.user(identifier(4))
        assert found is not None
        assert found.name == "user-4"


def test_new_file_takes_the_place_and_mode_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    write(path, facts())
    path.chmod(0o640)
    with open_bundle(path) as bundle:
        assert not bundle.is_replaced()
        write(path, changed(facts()), NEW_ORIGIN)
        assert bundle.is_replaced()
        assert bundle.facts.user(identifier(4)) is not None
        assert bundle.header.origin == OLD_ORIGIN
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["bundle"]


def test_bundle_that_is_gone_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    write(path, facts())
    with open_bundle(path) as bundle:
        path.unlink()
        assert bundle.is_replaced()


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([assignment(1, 1), assignment(1, 1)], "'assignments' has one key twice"),
        ([user(1, "a"), user(1, "b")], "'users' has one key twice"),
        ([("secrets", ("x",))], "no table 'secrets'"),
        ([("memberships", (identifier(1),))], "has 1 values"),
        ([("memberships", (identifier(1), "ab" * 16))], "'group_id'"),
        ([("memberships", (identifier(1), b"short"))], "'group_id'"),
        ([("memberships", (identifier(1), None))], "'group_id'"),
        ([("settings", ("filter", "{ }"))], "'value'"),
        ([("settings", ("filter", "[" * 100_000))], "'value'"),
        *[
            ([("endpoint_groups", (identifier(1), f'{{"x":{number}}}'))], "'filters'")
            for number in ("1.50", "1e5", "1E+16", "10000000000000000.0", "1e400", "NaN", "0.00001")
        ],
        ([("projects", (identifier(1), "p", None, None, 2, 0))], "'enabled'"),
        ([("projects", (identifier(1), "p", None, None, True, 0))], "no 'enabled' of its form"),
        ([("projects", (identifier(1), b"p", None, None, 1, 0))], "'name'"),
        (
            [("users", (identifier(1), "u", "default", 1, 1.5, None, 1))],
            "no 'disabled_from' of its form",
        ),
    ],
)
def test_rows_of_another_form_are_refused(rows: list[Fact], why: str, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    write(path, facts())
    before = path.read_bytes()
    with pytest.raises(BundleUnreadable, match=why):
        write(path, rows, NEW_ORIGIN)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["bundle"]


@pytest.mark.parametrize(
    "origin",
    [
        Origin(0, 1, "x"),
        Origin(1, -1, "x"),
        Origin(1, 1 << 60, "x"),
        Origin(1, 1, "x" * 201),
        Origin(1, 1, "a\nb"),
        Origin(1, 1, "x", revocation_polled_at=-1),
    ],
)
def test_header_of_another_form_is_refused(origin: Origin, tmp_path: Path) -> None:
    with pytest.raises(BundleUnreadable, match="the header has no"):
        write_bundle(tmp_path / "bundle", origin, facts())
    assert not os.listdir(tmp_path)


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "bundle"

    def rows() -> list[Fact]:
        with pytest.raises(BundleUnreadable, match="another process has"):
            write(path, facts())
        return []

    write_bundle(path, OLD_ORIGIN, (each for once in (rows,) for each in once()))
    assert verify_bundle(path).row_count == 0


# --- files that are not as they should be


def by_sql(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return change


def by_bytes(offset: int, new: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(new)

    return change


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


def lengthen(path: Path) -> None:
    os.truncate(path, path.stat().st_size + 4096)


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Path.unlink, "No such file"),
        (cut, "it was cut"),
        (lengthen, "it was cut"),
        (lambda path: os.truncate(path, 0), "no SQLite file"),
        (lambda path: path.write_bytes(b"x" * 8192), "no SQLite file"),
        (replace_by_fifo, "no regular file"),
        (by_sql("PRAGMA application_id = 5"), "another application"),
        (
            by_sql(f"PRAGMA user_version = {FORMAT_VERSION + 1}"),
            f"format {FORMAT_VERSION + 1}, and this authmw reads format 1: update authmw",
        ),
        (by_sql("PRAGMA user_version = 0"), "format 0, .*: export it anew"),
        (by_sql("PRAGMA journal_mode = WAL"), "journal mode"),
        (by_sql("CREATE VIEW v AS SELECT 1"), "tables are not ours"),
        (by_sql("CREATE INDEX i ON users (name)"), "tables are not ours"),
        (by_sql("CREATE TRIGGER t INSERT ON users BEGIN SELECT 1; END"), "tables are not ours"),
        (by_sql("DROP TABLE trusts"), "tables are not ours"),
        (by_sql("DROP TABLE trusts", "CREATE VIEW trusts AS SELECT 1"), "tables are not ours"),
        (by_sql("DELETE FROM bundle"), "no header"),
        (by_sql("INSERT INTO bundle SELECT * FROM bundle"), "no header, or several"),
        (by_sql("UPDATE bundle SET revision = 'x'"), "no 'revision'"),
        (by_sql("UPDATE bundle SET digest = zeroblob(32)"), "digest is of another sum"),
        (by_sql("UPDATE bundle SET sum = zeroblob(3)"), "no 'sum'"),
        (by_sql(f"UPDATE roles SET extra = '{'[' * 5000}'"), "not usable"),
    ],
)
def test_other_files_are_not_opened(
    change: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "bundle"
    write(path, facts())
    change(path)
    with pytest.raises(BundleUnreadable, match=why):
        open_bundle(path)


def swap_two_rows(path: Path) -> None:
    """Swap two cells of a leaf page: all rows are there, and look-ups miss them."""
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        page = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'memberships' AND pagetype = 'leaf'"
        ).fetchone()[0]
    pointers = (page - 1) * 4096 + 8
    one, other = content[pointers : pointers + 2], content[pointers + 2 : pointers + 4]
    content[pointers : pointers + 4] = other + one
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (swap_two_rows, "it is damaged"),
        (by_sql("DELETE FROM assignments WHERE target_id = zeroblob(16)"), "not those that"),
        (by_sql("UPDATE users SET enabled = 0 WHERE name = 'user-3'"), "not those that"),
        (by_sql("UPDATE users SET enabled = 'x' WHERE name = 'user-3'"), "'enabled'"),
        (by_sql("UPDATE users SET name = x'00' WHERE name = 'user-3'"), "'name'"),
        (by_sql("UPDATE bundle SET row_count = 5"), "not those that"),
    ],
)
def test_other_rows_are_found_before_the_bundle_is_used(
    change: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    path, new = tmp_path / "bundle", tmp_path / "from-afar"
    memberships: list[Fact] = [
        ("memberships", (identifier(1), identifier(2 + n))) for n in range(9)
    ]
    write(path, facts())
    write(new, [*facts(), *memberships], NEW_ORIGIN)
    before = path.read_bytes()
    change(new)
    with pytest.raises(BundleUnreadable, match=why):
        install_bundle(path, new)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["bundle", "from-afar"]


def test_whole_bundle_is_installed(tmp_path: Path) -> None:
    path, new = tmp_path / "bundle", tmp_path / "from-afar"
    header = write(new, facts())
    seen: list[int] = []
    assert install_bundle(path, new, seen.append) == header == verify_bundle(path)
    assert seen[-1] == header.row_count


def test_older_bundle_is_not_installed(tmp_path: Path) -> None:
    path, new = tmp_path / "bundle", tmp_path / "from-afar"
    write(path, facts(), NEW_ORIGIN)
    write(new, changed(facts()), OLD_ORIGIN)
    with pytest.raises(BundleUnreadable, match="revision 7 is not newer than revision 8"):
        install_bundle(path, new)
    assert verify_bundle(path).origin == NEW_ORIGIN


def test_unusable_bundle_is_replaced(tmp_path: Path) -> None:
    path, new = tmp_path / "bundle", tmp_path / "from-afar"
    write(new, facts())
    shutil.copy(new, path)
    cut(path)
    assert install_bundle(path, new) == verify_bundle(path)

"""The store of shared events in files: ownership, whole writes, and a lease that expires."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from authmw.errors import CacheError
from authmw.revocation.sharing.file_store import FileStore
from tests.support.programs import ROOT

NOW = 1_700_000_000.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "feed"


@pytest.fixture
def store(directory: Path) -> FileStore:
    return FileStore(directory, "site")


def test_what_was_written_last_is_read(store: FileStore, directory: Path) -> None:
    assert store.read() is None
    store.write(b"one")
    store.write(b"two")
    assert FileStore(directory, "site").read() == b"two"
    assert FileStore(directory, "other").read() is None


def test_directory_and_files_are_for_our_user_alone(store: FileStore, directory: Path) -> None:
    os.umask(os.umask(0))  # whatever the process was started with
    store.write(b"one")
    store.try_lease("e1", 10, NOW)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {
        "site.record": 0o600,
        "site.lease-e1": 0o600,
    }


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777, 0o1777])
def test_a_directory_that_others_can_write_to_is_refused(
    store: FileStore, directory: Path, mode: int
) -> None:
    directory.mkdir()
    directory.chmod(mode)
    for use in uses(store):
        with pytest.raises(CacheError, match="feed is not ours, or others can write to it"):
            use()
    assert list(directory.iterdir()) == []


def test_a_link_to_a_directory_is_refused(store: FileStore, directory: Path) -> None:
    (directory.parent / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(directory.parent / "elsewhere")
    with pytest.raises(CacheError, match="feed is not a directory"):
        store.read()


def uses(store: FileStore) -> list[Callable[[], object]]:
    return [store.read, lambda: store.write(b""), lambda: store.try_lease("e1", 10, NOW)]


@pytest.mark.parametrize("mode", [0o777, 0o775])
@pytest.mark.parametrize("below", ["feed", "one/feed", "one/two/feed"])
def test_a_directory_is_refused_where_others_can_replace_one_above_it(
    tmp_path: Path, mode: int, below: str
) -> None:
    open_ = tmp_path / "open"
    directory = open_ / below
    directory.parent.mkdir(parents=True)
    open_.chmod(mode)
    for use in uses(FileStore(directory, "site")):
        with pytest.raises(CacheError, match="open: other users could replace what is in it"):
            use()
    assert not directory.exists()


def test_nobody_replaces_what_is_ours_in_a_sticky_directory(tmp_path: Path) -> None:
    directory = tmp_path / "tmp" / "feed"
    directory.parent.mkdir()
    directory.parent.chmod(0o1777)
    store = FileStore(directory, "site")
    store.write(b"one")
    assert store.read() == b"one"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_directory_below_one_of_another_user_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs").chmod(mode)
    os.chown(tmp_path / "theirs", 12345, 12345)
    for use in uses(FileStore(tmp_path / "theirs" / "feed", "site")):
        with pytest.raises(CacheError, match="theirs: other users could replace"):
            use()


def test_what_a_link_above_leads_to_is_judged(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    with pytest.raises(CacheError, match="open: other users could replace what is in it"):
        FileStore(tmp_path / "link" / "feed", "site").read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["directory", "file"])
def test_what_belongs_to_somebody_else_is_refused(
    store: FileStore, directory: Path, what: str
) -> None:
    store.write(b"one")
    os.chown(directory if what == "directory" else directory / "site.record", 12345, 12345)
    with pytest.raises(CacheError, match="is not ours, or others"):
        store.read()


def test_a_file_that_others_can_read_or_a_link_is_refused(
    store: FileStore, directory: Path
) -> None:
    store.write(b"one")
    (directory / "site.record").chmod(0o640)
    with pytest.raises(CacheError, match="record is not ours, or others have access to it"):
        store.read()
    (directory / "site.record").rename(directory / "elsewhere")
    (directory / "site.record").symlink_to(directory / "elsewhere")
    with pytest.raises(CacheError, match="record: Too many levels of symbolic links"):
        store.read()
    (directory / "site.record").unlink()
    os.mkfifo(directory / "site.record", 0o600)
    with pytest.raises(CacheError, match="record is not a regular file"):
        store.read()


def test_a_write_replaces_what_others_made_unreadable(store: FileStore, directory: Path) -> None:
    store.write(b"one")
    (directory / "site.record").chmod(0o666)
    store.write(b"two")
    assert store.read() == b"two"


def test_a_write_that_fails_leaves_no_rubbish(store: FileStore, directory: Path) -> None:
    (directory / "site.record").mkdir(parents=True)
    directory.chmod(0o700)
    with pytest.raises(CacheError, match=r"site\.record: Is a directory"):
        store.write(b"two")
    assert [path.name for path in directory.iterdir()] == ["site.record"]


@pytest.mark.parametrize("name", ["", "a/b", "..", "a.b", "a b"])
def test_a_name_that_could_lead_elsewhere_is_refused(directory: Path, name: str) -> None:
    with pytest.raises(ValueError, match="can't be part of a file's name"):
        FileStore(directory, name)


def test_one_gets_the_lease_of_an_edition_until_it_ends(store: FileStore) -> None:
    assert store.try_lease("e1", 10, NOW)
    assert not store.try_lease("e1", 10, NOW + 9.9)
    assert not store.try_lease("e1", 10, NOW - 0.1), "clocks are read before they are compared"
    assert store.try_lease("e1", 10, NOW + 10)
    assert not store.try_lease("e1", 10, NOW + 10)


def test_each_edition_has_a_lease_of_its_own(store: FileStore) -> None:
    assert store.try_lease("", 10, NOW)
    assert store.try_lease("e1", 10, NOW)
    assert not store.try_lease("e1", 10, NOW)


def test_a_new_record_clears_the_leases_of_its_store_away(
    store: FileStore, directory: Path
) -> None:
    other = FileStore(directory, "site2")
    for edition in ("", "e1"):
        store.try_lease(edition, 10, NOW)
        other.try_lease(edition, 10, NOW)
    store.write(b"two")
    assert sorted(path.name for path in directory.iterdir()) == [
        "site.record",
        "site2.lease-",
        "site2.lease-e1",
    ]


def test_a_lease_from_the_future_is_nobody_s(store: FileStore) -> None:
    assert store.try_lease("e1", 10, NOW + 3600)
    assert store.try_lease("e1", 10, NOW)


CONTENDER = """
import sys, time
from pathlib import Path
from authmw.revocation.sharing.file_store import FileStore
store = FileStore(Path(sys.argv[1]), "site")
sys.stdin.readline()
print(sum(store.try_lease("e1", 600, time.time()) for _ in range(200)))
"""


@pytest.mark.heavy
def test_of_many_processes_at_the_same_moment_one_gets_the_lease(directory: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDER, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(taken) == [0, 0, 0, 1]

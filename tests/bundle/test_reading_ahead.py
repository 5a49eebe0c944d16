"""An export reads in a process of its own: with one bundle, the same reasons, and no orphan."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from authmw.bundle.export import export
from authmw.bundle.export.reading import open_snapshot
from authmw.bundle.facts import TABLES, TABLES_BY_NAME
from authmw.bundle.file import Origin, open_bundle, verify_bundle
from authmw.bundle.keystone_sql import KeystoneDatabase
from authmw.cli import main
from authmw.errors import BundleUnreadable
from tests.bundle.full_world import WORLD
from tests.bundle.keystone_worlds import CONFIGURATION, KeystoneOfWorlds
from tests.support.programs import ROOT, run_python
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core"),
]

# More than pipes and portions hold.
_ASSIGNMENTS = 40_000


@pytest.fixture(scope="module")
def template(
    keystone_of_worlds: KeystoneOfWorlds, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The database of a Keystone with something of everything, and many assignments."""
    assert keystone_of_worlds.build(WORLD)["ignored"] == 0
    path = tmp_path_factory.mktemp("template") / "keystone.db"
    shutil.copy(keystone_of_worlds.database_url.removeprefix("sqlite:///"), path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) "
            "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) "
            "SELECT 'UserProject', printf('%032x', i), project.id, role.id, 0 FROM n, "
            "(SELECT min(id) AS id FROM project WHERE NOT is_domain) AS project, "
            "(SELECT min(id) AS id FROM role) AS role",
            (_ASSIGNMENTS,),
        )
        connection.commit()
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "keystone.db"))


@pytest.fixture
def url(database: Path) -> str:
    return f"sqlite:///{database}"


@pytest.fixture
def arguments(keystone_of_worlds: KeystoneOfWorlds, url: str, tmp_path: Path) -> list[str]:
    """Those of `authmw` that export the database."""
    (tmp_path / "url").write_text(url)
    where = ["--connection-file", str(tmp_path / "url")]
    configuration = ["--keystone-config", str(keystone_of_worlds.configuration_file)]
    return ["bundle", "export", str(tmp_path / "bundle"), *configuration, *where]


@contextmanager
def one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def children_of(parent: int) -> list[int]:
    """Return the processes that run; one that has ended and waits for its parent does not."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent_id = each.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent_id) == parent and state != "Z":
            found.append(int(each.parent.name))
    return found


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def origin(revision: int) -> Origin:
    return Origin(revision, 1_750_000_000, "a test", 1_750_000_000, 0)


# --- the same bundle


@pytest.mark.parametrize("cores", [1, 2])
def test_one_core_or_two_make_the_same_bundle(cores: int, url: str, tmp_path: Path) -> None:
    before = set(children_of(os.getpid()))
    seen = set()

    def note(*_: object) -> None:
        seen.add(len(set(children_of(os.getpid())) - before))

    with ExitStack() as stack:
        if cores == 1:
            stack.enter_context(one_core())
        snapshot = stack.enter_context(open_snapshot(url, CONFIGURATION))
        header = export(snapshot, tmp_path / "bundle", origin(1), note)
        assert (snapshot.kind, snapshot.release) == ("sqlite", "2026.1")
        assert header.row_count > snapshot.count_rows() * 0.9 > _ASSIGNMENTS * 0.9
    assert seen == {cores - 1}
    assert set(children_of(os.getpid())) == before
    with KeystoneDatabase(url, CONFIGURATION).snapshot() as alone:
        expected = {(table.name, row) for table in TABLES for row in alone.rows(table)}
    verify_bundle(tmp_path / "bundle")
    with open_bundle(tmp_path / "bundle") as bundle:
        assert {(table.name, row) for table in TABLES for row in bundle.rows(table)} == expected


def test_tables_are_read_one_after_the_other(url: str) -> None:
    with open_snapshot(url, CONFIGURATION) as snapshot:
        assignments = snapshot.rows(TABLES_BY_NAME["assignments"])
        next(assignments)
        with pytest.raises(RuntimeError, match="before those of another"):
            next(snapshot.rows(TABLES_BY_NAME["users"]))
        first = len(list(assignments)) + 1
        assert len(list(snapshot.rows(TABLES_BY_NAME["assignments"]))) == first > _ASSIGNMENTS


def test_collector_is_as_it_was_after_an_export(url: str, tmp_path: Path) -> None:
    before = gc.get_threshold()
    mine = (701, 11, 12)
    during = set()

    def fail(*_: object) -> None:
        during.add(gc.get_threshold()[0])
        raise BundleUnreadable("for a test")

    gc.set_threshold(*mine)
    try:
        with open_snapshot(url, CONFIGURATION) as snapshot:
            export(snapshot, tmp_path / "bundle", origin(1))
            assert gc.get_threshold() == mine
            with pytest.raises(BundleUnreadable, match="for a test"):
                export(snapshot, tmp_path / "bundle", origin(2), fail)
            assert gc.get_threshold() == mine
    finally:
        gc.set_threshold(*before)
    assert min(during) > mine[0]


# --- the same reasons


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE revocation_event SET revoked_at = 'never'", "'revocation_events' can't be read"),
        ("UPDATE assignment SET type = 'Odd' WHERE rowid = 20000", "the unknown type 'Odd'"),
        ("UPDATE service SET extra = '[]'", "holds no JSON object"),
        ("INSERT INTO alembic_version VALUES ('f00d')", "schema that is not known"),
        ("DROP TABLE trust", "no such table: trust"),
    ],
)
def test_reason_is_the_same_with_one_core(
    statement: str,
    reason: str,
    arguments: list[str],
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(arguments) == 0
    before = (tmp_path / "bundle").read_bytes()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(statement)
        connection.commit()
    capsys.readouterr()
    said = []
    for is_one in (True, False):
        with one_core() if is_one else ExitStack():
            assert main(arguments) == 1
        said.append(capsys.readouterr().err)
    assert reason in said[0]
    assert said[1] == said[0]
    assert (tmp_path / "bundle").read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"bundle", "keystone.db", "url"}


@pytest.mark.parametrize("named", ["nonsense", "oracle://x", "sqlite:////nowhere/keystone.db"])
def test_reason_of_a_url_is_the_same_with_one_core(
    named: str, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "url").write_text(named)
    said = []
    for is_one in (True, False):
        with one_core() if is_one else ExitStack():
            assert main(arguments) == 1
        said.append(capsys.readouterr().err)
    assert said[1] == said[0] != ""
    assert "ended" not in said[0]


# --- ends


def reader_of(process: int) -> int:
    """Wait for the child of an export; returns its id."""
    found: list[int] = []

    def has_child() -> bool:
        found[:] = children_of(process)
        return bool(found)

    assert wait_for(has_child, 60)
    return found[0]


def test_killed_reader_leaves_the_bundle_that_was_there(url: str, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    before = set(children_of(os.getpid()))
    with open_snapshot(url, CONFIGURATION) as snapshot:
        export(snapshot, path, origin(1))
    content = path.read_bytes()

    def kill(name: str, rows: int) -> None:
        if name == "assignments":
            for child in set(children_of(os.getpid())) - before:
                os.kill(child, signal.SIGKILL)

    with (
        pytest.raises(BundleUnreadable, match=r"can't be read: .* has ended \(Killed\)"),
        open_snapshot(url, CONFIGURATION) as snapshot,
    ):
        export(snapshot, path, origin(2), kill)
    assert path.read_bytes() == content
    assert set(children_of(os.getpid())) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full"), BundleUnreadable("x")])
def test_reader_ends_with_whoever_fails(
    error: BaseException | type[BaseException], url: str, tmp_path: Path
) -> None:
    before = set(children_of(os.getpid()))

    def fail(name: str, rows: int) -> None:
        if name == "assignments":
            assert len(set(children_of(os.getpid())) - before) == 1
            raise error

    began = time.monotonic()
    with (
        pytest.raises(error if isinstance(error, type) else type(error)),
        open_snapshot(url, CONFIGURATION) as snapshot,
    ):
        export(snapshot, tmp_path / "bundle", origin(2), fail)
    assert set(children_of(os.getpid())) == before
    assert time.monotonic() - began < 60
    assert not (tmp_path / "bundle").exists()


_READ = """
import sys, time
from authmw.bundle.export.reading import open_snapshot
from authmw.bundle.facts import TABLES_BY_NAME
from authmw.bundle.keystone_configuration import Configuration

with open_snapshot(sys.argv[1], Configuration({})) as snapshot:
    rows = snapshot.rows(TABLES_BY_NAME["assignments"])
    next(rows)
    print("reading", flush=True)
    time.sleep(600)
"""


def test_reader_that_writes_ends_when_its_parent_is_killed(url: str) -> None:
    command = [sys.executable, "-c", _READ, url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"reading\n"
            child = reader_of(parent.pid)
        finally:
            parent.kill()
    assert wait_for(lambda: not is_running(child), 30)


@contextmanager
def waiting_export(arguments: list[str], url: str, tmp_path: Path) -> Iterator[list[int]]:
    """Start an export whose child waits for the database; yields the ids of both."""
    (tmp_path / "url").write_text(f"{url}?timeout=600")
    path = url.removeprefix("sqlite:///")
    command = [sys.executable, "-m", "authmw.cli", *arguments]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, text=True, process_group=0
        ) as parent:
            try:
                child = reader_of(parent.pid)
                opened = Path(f"/proc/{child}/fd")
                assert wait_for(
                    lambda: any(os.path.realpath(each) == path for each in opened.iterdir()),
                    60,
                )
                yield [parent.pid, child]
                said = parent.communicate(timeout=60)[1]
                assert "Traceback" not in said
            finally:
                parent.kill()


def test_reader_that_waits_ends_when_its_parent_is_killed(
    arguments: list[str], url: str, tmp_path: Path
) -> None:
    with waiting_export(arguments, url, tmp_path) as (parent, child):
        os.kill(parent, signal.SIGKILL)
    assert wait_for(lambda: not is_running(child), 30)


def test_interrupt_by_the_keyboard_ends_both(
    arguments: list[str], url: str, tmp_path: Path
) -> None:
    with waiting_export(arguments, url, tmp_path) as (parent, child):
        # The terminal sends it to the whole group.
        os.killpg(parent, signal.SIGINT)
    assert not is_running(child)
    assert {each.name for each in tmp_path.iterdir()} == {"keystone.db", "url"}


def test_no_argument_of_the_reader_has_the_url(
    arguments: list[str], url: str, tmp_path: Path
) -> None:
    with waiting_export(arguments, url, tmp_path) as (parent, child):
        shown = Path(f"/proc/{child}/cmdline").read_bytes()
        environ = Path(f"/proc/{child}/environ").read_bytes()
        os.kill(parent, signal.SIGKILL)
    assert b"authmw.bundle.export.reader" in shown
    assert url.encode() not in shown + environ


def test_full_disk_ends_the_reader_and_leaves_the_bundle(
    arguments: list[str], tmp_path: Path
) -> None:
    assert main(arguments) == 0
    before = (tmp_path / "bundle").read_bytes()
    program = (
        "import resource, sys\n"
        "from authmw.cli import main\n"
        "from tests.bundle.test_reading_ahead import children_of\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "import os\n"
        "print(main(sys.argv[1:]), children_of(os.getpid()))\n"
    )
    ended = run_python("-c", program, *arguments)
    assert ended.stdout == "1 []\n"
    assert str(tmp_path / "bundle") in ended.stderr
    assert (tmp_path / "bundle").read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"bundle", "keystone.db", "url"}

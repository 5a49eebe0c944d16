"""Publishing from a real Keystone's database."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import time_machine

from authmw.bundle.facts import TABLES_BY_NAME
from authmw.bundle.file import open_bundle
from tests.bundle.centre.centres import Centre, Site, serve
from tests.bundle.full_world import WORLD
from tests.bundle.keystone_worlds import KeystoneOfWorlds
from tests.bundle.sync.site import SyncSite
from tests.support.programs import ROOT
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def keystone(keystone_of_worlds: KeystoneOfWorlds) -> KeystoneOfWorlds:
    """A Keystone with something of everything."""
    assert keystone_of_worlds.build(WORLD)["ignored"] == 0
    return keystone_of_worlds


@pytest.fixture
def database(keystone: KeystoneOfWorlds, tmp_path: Path) -> Path:
    """A copy of its database, to be changed."""
    return Path(
        shutil.copy(keystone.database_url.removeprefix("sqlite:///"), tmp_path / "keystone.db")
    )


@pytest.fixture
def centre(keystone: KeystoneOfWorlds, database: Path, tmp_path: Path) -> Centre:
    centre = Centre(tmp_path)
    (tmp_path / "url").write_text(f"sqlite:///{database}\n")
    options = f'keystone_config = ["{keystone.configuration_file}"]\nconnection_file = "url"\n'
    centre.configure('[sites.edge-1]\n[sites.edge-2]\ndomains = ["default"]\n', centre=options)
    centre.run("init")
    return centre


@pytest.fixture
def site(centre: Centre, tmp_path: Path) -> Iterator[Site]:
    with serve(centre.www) as url:
        yield Site(tmp_path / "site", "edge-1", url, centre.root)


def execute(database: Path, statement: str) -> int:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        changed = connection.execute(statement).rowcount
        connection.commit()
    return changed


def revoke(database: Path, audit_id: str) -> None:
    # As Keystone writes it when a token is revoked.
    execute(
        database,
        "INSERT INTO revocation_event (audit_id, issued_before, revoked_at) VALUES "
        f"('{audit_id}', datetime('now'), datetime('now'))",
    )


def test_one_cut_is_published_to_all_sites(
    centre: Centre, site: Site, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = centre.run_json(capsys, "publish", "--once")
    assert first["changed_sites"] == ["edge-1", "edge-2"]
    assert abs(first["read_at"] - time.time()) < 60
    assert len(site.sync()) == 1
    again = centre.run_json(capsys, "publish", "--once")
    assert again["changed_sites"] == []
    assert execute(database, "DELETE FROM assignment WHERE type = 'UserProject'") > 0
    assert centre.run_json(capsys, "publish", "--once")["changed_sites"]
    assert site.sync() == ["1-3.delta"]
    head = site.head_of_centre()
    assert head.hot is not None
    assert head.hot_read_at == head.read_at
    with open_bundle(site.bundle) as bundle:
        assert bundle.header.origin.source == "sqlite of Keystone 2026.1"
        assert not list(bundle.rows(TABLES_BY_NAME["revocation_events"]))


def test_events_are_published_alone(
    centre: Centre, site: Site, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.run("publish", "--hot", "--once", status=1)
    assert "publish facts before events" in capsys.readouterr().err
    centre.run("publish", "--once")
    before = site.head_of_centre()
    warm = site.head()
    revoke(database, "a-new-event")
    # A grant that changes meanwhile travels at its own pace.
    execute(database, "DELETE FROM assignment")
    centre.run("publish", "--hot", "--once")
    after = site.head_of_centre()
    assert (after.revision, after.read_at) == (before.revision, before.read_at)
    assert before.hot is not None
    assert after.hot is not None
    assert after.hot.revision == before.hot.revision + 1
    assert site.head() == warm
    # Events that did not change are as of now, and no new file.
    time.sleep(1.1)
    centre.run("publish", "--hot", "--once")
    same = site.head_of_centre()
    assert same.hot == after.hot
    assert (same.hot_read_at or 0) > (after.hot_read_at or 0)


def test_clock_that_was_ahead_keeps_nothing_back(
    centre: Centre, site: Site, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read by a clock that was wrong is of no time; what is read now counts."""
    # On one core this process reads the database; the clock of another one can't be moved.
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0})
    with serve(centre.www) as url:
        with time_machine.travel(time.time() + 3600, tick=True):
            centre.run("publish", "--once")
            edge = SyncSite(tmp_path / "real", "edge-1", url, centre.root)
            assert edge.sync() == ""
        assert edge.header.origin.read_at > time.time() + 3000
        wrong = edge.digest_and_inode()
        revoke(database, "a-new-event")
        centre.run("publish", "--hot", "--once")
        assert abs((site.head_of_centre().hot_read_at or 0) - time.time()) < 60
        assert edge.sync() == ""
        assert "a-new-event" in str(edge.events)
        centre.run("publish", "--once")
        assert edge.sync() == ""
        digest, revision, read_at = edge.confirmed or (b"", 0, 0)
        right = edge.digest_and_inode()
        assert (digest, revision) == (wrong[0], 2)
        assert abs(read_at - time.time()) < 60
        # Once, and not at each sync, the same facts are fetched anew.
        centre.run("publish", "--once")
        assert edge.sync() == ""
        assert right[1] != wrong[1]
        assert edge.digest_and_inode() == right


@contextmanager
def served_publisher(centre: Centre, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "authmw", "bundle", "publish", str(centre.file), *arguments]
    with (centre.directory / "publish.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, (centre.directory / "publish.log").read_text()


def test_service_publishes_until_it_is_stopped(centre: Centre, site: Site, database: Path) -> None:
    with served_publisher(centre, "--every", "1", "--hot-every", "0.2"):
        assert wait_for(lambda: (centre.state / "head.json").exists(), seconds=60)
        first = site.head_of_centre()
        assert first.hot is not None
        revoke(database, "another-event")
        assert wait_for(lambda: site.head_of_centre().hot != first.hot, seconds=30)
        execute(database, "DELETE FROM assignment WHERE type = 'UserProject'")
        assert wait_for(lambda: site.head().warm.revision > 1, seconds=30)
        # A site that a rotation adds gets its part without a restart.
        centre.file.write_text(centre.file.read_text() + "[sites.edge-3]\n")
        centre.run("rotate")
        assert wait_for(
            lambda: list(centre.www.glob("targets/sites/edge-3/*.bundle")) != [], seconds=30
        )
        # One that fails does not end it.
        database.rename(database.with_name("away"))
        assert wait_for(
            lambda: "can't be published" in (centre.directory / "publish.log").read_text(),
            seconds=30,
        )
        database.unlink(missing_ok=True)
        database.with_name("away").rename(database)
        assert wait_for(
            lambda: "published again" in (centre.directory / "publish.log").read_text(), seconds=30
        )
    site.sync()


def test_only_one_publishes_facts_at_a_time(
    centre: Centre, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from authmw.bundle.centre.locks import locked

    with locked(centre.state, "warm"):
        centre.run("publish", "--once", status=1)
    assert "another process has" in capsys.readouterr().err
    centre.run("publish", "--once")

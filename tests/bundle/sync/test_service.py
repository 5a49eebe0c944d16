"""The process: when it looks, what it logs, who wakes it, and how it ends."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authmw.bundle.file import hot_path
from authmw.bundle.sync.directory import SyncDirectory
from authmw.bundle.sync.errors import AlreadyRunning
from authmw.bundle.sync.process import opened
from authmw.bundle.sync.service import SyncService
from authmw.bundle.sync.status import make_report, read_status
from tests.bundle.sync.centre import Centre
from tests.bundle.sync.file_server import FileServer
from tests.bundle.sync.site import SyncSite
from tests.support.bundle_facts import Fact
from tests.support.waiting import wait_for

pytestmark = pytest.mark.heavy


@contextmanager
def running(site: SyncSite) -> Iterator[SyncService]:
    with opened(site.configuration) as service:
        thread = threading.Thread(target=service.run)
        thread.start()
        try:
            yield service
        finally:
            service.stop()
            thread.join(10)
            assert not thread.is_alive()


def asked_for(server: FileServer, name: str) -> list[int]:
    return [status for path, status in list(server.asked) if path.endswith(name)]


def test_news_is_noticed_by_polling_and_costs_little_meanwhile(
    site: SyncSite, centre: Centre, server: FileServer, grown: list[Fact], now: int
) -> None:
    site.options = "poll_seconds = 0.1\nleast_pause_seconds = 0.05"
    site.write()
    with running(site):
        assert wait_for(lambda: asked_for(server, "timestamp.json").count(304) > 5)
        server.asked.clear()
        assert wait_for(lambda: len(server.asked) > 5)
        # One question each time, and one small answer.
        assert {(path, status) for path, status in server.asked} == {
            ("/metadata/timestamp.json", 304)
        }
        centre.write_site("edge-1", grown, 8, now)
        centre.publish(8, now)
        assert wait_for(lambda: site.header.origin.revision == 8)
        assert wait_for(lambda: site.confirmed == (site.header.digest, 8, now))


def test_bundle_that_went_is_brought_back_without_news(site: SyncSite) -> None:
    site.options = "poll_seconds = 0.1\nleast_pause_seconds = 0.05"
    site.write()
    with running(site) as service:
        assert wait_for(lambda: service.status.attempts.get("success", 0) > 2)
        site.bundle.unlink()
        assert wait_for(site.bundle.exists)


def test_waking_up_leads_to_a_sync_at_once_and_not_more_often_than_is_allowed(
    site: SyncSite, centre: Centre, server: FileServer, grown: list[Fact], now: int
) -> None:
    site.options = "poll_seconds = 600\nleast_pause_seconds = 0.5"
    site.write()
    with running(site) as service:
        assert wait_for(lambda: service.status.next_poll_at)
        time.sleep(0.6)
        centre.write_site("edge-1", grown, 8, now)
        centre.publish(8, now)
        woken = time.monotonic()
        service.wake()
        assert wait_for(lambda: site.header.origin.revision == 8, 5)
        assert time.monotonic() - woken < 3
        before = sum(service.status.attempts.values())
        for _ in range(100):
            service.wake()
            time.sleep(0.02)
        # Two seconds.
        assert 2 <= sum(service.status.attempts.values()) - before <= 6


def test_failures_back_off_and_are_logged_once(
    site: SyncSite, server: FileServer, centre: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.options = "poll_seconds = 0.1\nleast_pause_seconds = 0.05\nmost_back_off_seconds = 1"
    site.write()
    before = site.in_force()
    server.behaviours["timestamp.json"] = lambda handler: handler.answer(503, b"busy")
    with running(site) as service:
        began = time.monotonic()
        assert wait_for(lambda: service.status.failures_in_a_row > 4)
        assert time.monotonic() - began > 0.8
        assert site.in_force() == before
        lines = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
        assert len(lines) == 1
        assert "status 503" in lines[0]
        assert "revision 7 stays in force" in lines[0]
        status = read_status(SyncDirectory(site.bundle).status)
        assert status is not None
        assert status.failure_kind == "transfer"
        server.behaviours.clear()
        assert wait_for(lambda: service.status.failures_in_a_row == 0)
    assert "came to its end again" in caplog.text


def test_waking_up_goes_before_no_back_off(site: SyncSite, server: FileServer) -> None:
    site.options = "poll_seconds = 600\nleast_pause_seconds = 0.1\nmost_back_off_seconds = 600"
    site.write()
    server.behaviours["timestamp.json"] = lambda handler: handler.answer(503, b"busy")
    with running(site) as service:
        began = time.monotonic()
        while time.monotonic() < began + 3:
            service.wake()
            time.sleep(0.02)
        # Pauses of 0.1 to 0.2 s, 0.2 to 0.4, 0.4 to 0.8, 0.8 to 1.6, 1.6 to 3.2.
        assert 3 <= service.status.failures_in_a_row <= 6
        server.behaviours.clear()
        service.wake()
        assert wait_for(lambda: service.status.failures_in_a_row == 0, 10)


def test_pauses_are_never_all_the_same(site: SyncSite) -> None:
    with opened(site.configuration) as service:
        pauses = {service._find_pause() for _ in range(20)}
        assert len(pauses) == 20
        assert all(4.5 <= pause <= 5.5 for pause in pauses)
        service.status.failures_in_a_row = 1000
        assert all(150 <= service._find_pause() <= 300 for _ in range(20))


def test_a_second_process_is_kept_out(site: SyncSite) -> None:
    with (
        opened(site.configuration),
        pytest.raises(AlreadyRunning, match="another process syncs this bundle"),
        opened(site.configuration),
    ):
        pass
    assert site.sync() == ""


def test_files_have_their_mode_and_hand_it_down(
    new_site: SyncSite, centre: Centre, grown: list[Fact], now: int
) -> None:
    former = os.umask(0)
    try:
        assert new_site.sync() == ""
        paths = (new_site.bundle, hot_path(new_site.bundle))
        assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o640, 0o640]
        new_site.bundle.chmod(0o646)
        centre.write_site("edge-1", grown, 8, now)
        centre.publish(8, now)
        assert new_site.sync() == ""
        assert new_site.revision == 8
        # What everyone could write to is so no longer.
        assert stat.S_IMODE(new_site.bundle.stat().st_mode) == 0o644
        directory = SyncDirectory(new_site.bundle)
        assert stat.S_IMODE(directory.path.stat().st_mode) == 0o750
        assert stat.S_IMODE(directory.metadata.stat().st_mode) == 0o700
        assert stat.S_IMODE(directory.status.stat().st_mode) == 0o640
    finally:
        os.umask(former)


def test_report_says_what_is_stale(site: SyncSite, now: int) -> None:
    report = make_report(site.bundle, now)
    assert report is not None
    assert report.stale == ()
    assert report.document["confirmed_revision"] == 7
    later = make_report(site.bundle, now + 400)
    assert later is not None
    assert [each.split(" are of")[0].split(":")[0] for each in later.stale] == [
        "the facts",
        "the revocation events",
        "the last sync that came to its end",
    ]
    expired = make_report(site.bundle, now + 90_000)
    assert expired is not None
    assert "the metadata of timestamp has expired" in " ".join(expired.stale)
    soon = make_report(site.bundle, now + 355 * 86_400)
    assert soon is not None
    assert len(soon.expiring) == 2


def test_report_without_a_bundle(site: SyncSite, now: int) -> None:
    site.bundle.unlink()
    report = make_report(site.bundle, now)
    assert report is not None
    assert "there is no bundle in force" in report.stale[0]
    assert make_report(site.bundle.with_name("other"), now) is None


def test_metrics_are_written_as_the_collector_reads_them(site: SyncSite, now: int) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    site.options = 'metrics_file = "authmw.prom"'
    site.write()
    assert site.sync() == ""
    path = site.directory / "authmw.prom"
    values = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }
    assert values["authmw_sync_revision", "edge-1"] == 7
    assert values["authmw_sync_facts_timestamp_seconds", "edge-1"] == now - 5
    assert values["authmw_sync_events_timestamp_seconds", "edge-1"] == now - 5
    # With that of the first sync: counts outlive the process.
    assert values["authmw_sync_attempts_total", "edge-1", "success"] == 2
    assert values["authmw_sync_metadata_expiry_timestamp_seconds", "edge-1", "root"] > now
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


# --- the command


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "authmw", "bundle", *map(str, arguments)]


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_metrics_are_not_written_through_what_others_put_there(
    site: SyncSite, tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    """The collector's directory may be one that other users write to as well."""
    shared, victim = tmp_path / "shared", tmp_path / "victim"
    shared.mkdir()
    victim.write_text("precious")
    site.options = f'metrics_file = "{shared / "authmw.prom"}"'
    site.write()
    planted = shared / f"authmw.prom.{os.getpid()}"
    plant(victim, planted)
    before = victim.stat()
    site.sync()
    assert victim.read_text() == "precious"
    assert victim.stat().st_mode == before.st_mode
    assert not (shared / "authmw.prom").is_symlink()
    assert "authmw_sync" in (shared / "authmw.prom").read_text()


def test_command_syncs_once_and_says_how_it_is(
    new_site: SyncSite, centre: Centre, server: FileServer
) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), capture_output=True, text=True, timeout=60, check=False
        )

    assert run("status", new_site.file).returncode == 2
    synced = run("sync", new_site.file, "--once")
    assert (synced.returncode, synced.stdout) == (0, "")
    assert "revision 7" in synced.stderr
    said = run("status", new_site.file, "--json")
    assert said.returncode == 0
    assert json.loads(said.stdout)["revision"] == 7
    for name in ("timestamp.json", "1.snapshot.json"):
        (centre.directory / "metadata" / name).unlink()
    failed = run("sync", new_site.file, "--once")
    assert failed.returncode == 1
    assert "status 404" in failed.stderr
    assert "revision 7 stays in force" in failed.stderr
    new_site.options = "pol_seconds = 5"
    new_site.write()
    wrong = run("sync", new_site.file)
    assert wrong.returncode == 2
    assert "pol_seconds" in wrong.stderr
    assert "poll_seconds" in wrong.stderr


@pytest.mark.parametrize("activity", ["waiting", "downloading"])
def test_sigterm_ends_it_soon(
    site: SyncSite, server: FileServer, activity: str, tmp_path: Path
) -> None:
    before = site.in_force()
    if activity == "downloading":
        server.behaviours["timestamp.json"] = lambda _: time.sleep(15)
    server.asked.clear()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command("sync", site.file), stderr=log, stdout=log)
    try:
        assert wait_for(lambda: asked_for(server, "timestamp.json"))
        time.sleep(0.5)
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - told < 3
    finally:
        process.kill()
        process.wait(10)
    assert site.in_force() == before
    server.behaviours.clear()
    assert site.sync() == ""

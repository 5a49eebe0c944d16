"""A sync that is killed at any moment leaves what workers can use, and the next one goes on."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from authmw.bundle.file import hot_path, read_hot, verify_bundle
from authmw.bundle.sync.errors import AlreadyRunning
from authmw.bundle.sync.process import opened
from tests.bundle.sync.centre import Centre
from tests.bundle.sync.conftest import event
from tests.bundle.sync.site import SyncSite
from tests.support.bundle_facts import Fact, assignment
from tests.support.killing import kill_at

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("step", [211, pytest.param(41, marks=pytest.mark.slow)])
@pytest.mark.parametrize("way", ["deltas", "base"])
def test_killed_at_any_system_call(
    site: SyncSite, centre: Centre, grown: list[Fact], way: str, step: int, now: int
) -> None:
    centre.write_site("edge-1", grown, 8, now - 3, base=way == "base")
    newest = [*grown, assignment(7000, 3)]
    centre.write_site("edge-1", newest, 9, now - 2)
    centre.write_hot([event(1), event(2)], 9, now - 2)
    centre.publish(9, now - 2)
    saved = site.directory.with_name("saved")
    shutil.copytree(site.directory, saved)
    seen = []
    lasted = 0
    for stop in range(1, 100_000, step):
        shutil.rmtree(site.directory)
        shutil.copytree(saved, site.directory)
        was_killed = kill_at(stop, site.sync)
        lasted += 1
        revision = verify_bundle(site.bundle).origin.revision
        seen.append(revision)
        hot = read_hot(hot_path(site.bundle))
        assert hot.header.origin.revision in (7, 9)
        assert hot.confirmation is not None
        if hot.confirmation.revision == 9:
            assert hot.confirmation.digest == site.header.digest
        if was_killed and lasted % 4:
            continue
        assert site.sync() == ""
        assert site.header == centre.lines["edge-1"].header
        assert site.confirmed == (site.header.digest, 9, now - 2)
        assert len(read_hot(hot_path(site.bundle)).events) == 2
        if not was_killed:
            break
    # Not in order: how many calls a sync makes depends on how its server's answers arrive.
    assert seen[0] == 7
    assert set(seen) <= {7, 8, 9}
    assert {7, 9} <= set(seen)
    assert lasted > 10


def test_download_goes_on_from_what_is_whole(
    site: SyncSite, centre: Centre, grown: list[Fact], now: int
) -> None:
    """A base that was fetched before a crash is not fetched again; a half one is."""
    centre.write_site("edge-1", grown, 8, now - 3, base=True)
    centre.publish(8, now - 2)
    base = centre.lines["edge-1"].chain.base.path
    stored = centre.stored(base)
    incoming = site.directory / "cloud.bundle.sync" / "incoming" / base.replace("/", "%2F")
    incoming.write_bytes(stored.read_bytes()[:100])
    assert site.sync() == ""
    assert site.revision == 8
    centre.write_site("edge-1", [*grown, assignment(7000, 3)], 9, now - 1, base=True)
    centre.publish(9, now - 1)
    base = centre.lines["edge-1"].chain.base.path
    stored = centre.stored(base)
    incoming = incoming.with_name(base.replace("/", "%2F"))
    shutil.copyfile(stored, incoming)
    stored.unlink()
    assert site.sync() == ""
    assert site.revision == 9
    assert not incoming.exists()


def test_lock_of_a_killed_process_is_free(site: SyncSite) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            with opened(site.configuration):
                os.write(writing, b"!")
                signal.pause()
        finally:
            os._exit(1)
    try:
        assert os.read(reading, 1) == b"!"
        with pytest.raises(AlreadyRunning):
            site.sync()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
    assert site.sync() == ""

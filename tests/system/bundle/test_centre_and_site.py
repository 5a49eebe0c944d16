"""The product's own centre, and a site: what one publishes, the other puts in force."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.bundle.file import hot_path, read_hot
from tests.bundle.centre.centres import Centre, serve
from tests.bundle.sync.conftest import event
from tests.bundle.sync.site import SyncSite
from tests.support.bundle_facts import Fact, assignment, facts

pytestmark = pytest.mark.heavy


@pytest.fixture
def ours(tmp_path: Path) -> Centre:
    centre = Centre(tmp_path)
    centre.configure("[sites.edge-1]\n[sites.edge-2]")
    centre.run("init")
    return centre


@pytest.fixture
def synced(ours: Centre, tmp_path: Path) -> Iterator[SyncSite]:
    publish(ours, [*facts(60), event(1)])
    with serve(ours.www) as url:
        site = SyncSite(tmp_path / "site", "edge-1", url, ours.root)
        assert site.sync() == ""
        yield site


def publish(centre: Centre, rows: list[Fact]) -> None:
    path = centre.write(rows, read_at=int(time.time()))
    centre.run("publish", "--from", str(path))


def test_site_follows_its_centre(ours: Centre, synced: SyncSite) -> None:
    first = synced.revision
    assert read_hot(hot_path(synced.bundle)).events == {'{"audit_id":"1"}'}
    for number in range(3):
        publish(ours, [*facts(60), assignment(6000 + number, 1), event(1), event(2)])
        assert synced.sync() == ""
        assert synced.revision > first
    assert len(read_hot(hot_path(synced.bundle)).events) == 2
    confirmed = synced.confirmed
    assert confirmed is not None
    assert confirmed[0] == synced.header.digest


def test_unchanged_part_is_confirmed(ours: Centre, synced: SyncSite) -> None:
    before, confirmed = synced.bundle.read_bytes(), synced.confirmed
    time.sleep(1)
    publish(ours, [*facts(60), event(1)])
    assert synced.sync() == ""
    assert synced.bundle.read_bytes() == before
    again = synced.confirmed
    assert confirmed is not None
    assert again is not None
    assert again[2] > confirmed[2]


def test_site_follows_rotated_keys(ours: Centre, synced: SyncSite) -> None:
    for roles in (("root",), ("timestamp", "snapshot"), ("site", "edge-1"), ("targets",)):
        ours.run("rotate", *roles)
        assert synced.sync() == ""
    publish(ours, [*facts(60), assignment(6000, 1), event(1)])
    assert synced.sync() == ""
    assert synced.header.row_count == len(facts(60)) + 1

"""A centre, its server and a site that is up to date."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundle.sync.centre import Centre
from tests.bundle.sync.file_server import FileServer
from tests.bundle.sync.site import SyncSite
from tests.support.bundle_facts import Fact, assignment, facts


def event(number: int) -> Fact:
    return "revocation_events", (number, f'{{"audit_id":"{number}"}}')


@pytest.fixture
def now() -> int:
    return int(time.time())


@pytest.fixture
def centre(tmp_path: Path, now: int) -> Centre:
    """A centre that has published revision 7 with a base for each site."""
    centre = Centre(tmp_path / "repository")
    for number, site in enumerate(centre.sites):
        centre.write_site(site, [*facts(60), assignment(5000 + number, 1)], 7, now - 60)
    centre.write_hot([event(1)], 7, now - 5)
    centre.publish(7, now - 5)
    return centre


@pytest.fixture
def server(centre: Centre) -> Iterator[FileServer]:
    with FileServer(centre.directory).running() as server:
        yield server


@pytest.fixture
def new_site(centre: Centre, server: FileServer, tmp_path: Path) -> SyncSite:
    """A site that has nothing yet."""
    root = (centre.directory / "metadata" / "1.root.json").read_bytes()
    return SyncSite(tmp_path / "site", "edge-1", server.url, root)


@pytest.fixture
def site(new_site: SyncSite) -> SyncSite:
    """A site that has revision 7."""
    assert new_site.sync() == ""
    return new_site


@pytest.fixture
def grown(centre: Centre, now: int) -> list[Fact]:
    """Facts of a later revision of edge-1, not written yet."""
    return [*facts(60), assignment(5000, 1), assignment(6000, 2)]

"""What one sync does: from nothing, by deltas, by a base, and with nothing new."""

from __future__ import annotations

import pytest

from authmw.bundle.file import hot_path, read_hot
from tests.bundle.sync.centre import Centre
from tests.bundle.sync.conftest import event
from tests.bundle.sync.file_server import FileServer
from tests.bundle.sync.site import SyncSite
from tests.support.bundle_facts import Fact, assignment

pytestmark = pytest.mark.heavy


def test_new_site_fetches_a_base_and_confirms_it(
    new_site: SyncSite, centre: Centre, now: int
) -> None:
    assert new_site.sync() == ""
    assert new_site.revision == 7
    assert new_site.confirmed == (new_site.header.digest, 7, now - 5)
    hot = read_hot(hot_path(new_site.bundle))
    assert hot.events == {'{"audit_id":"1"}'}
    assert hot.header.origin.revocation_polled_at == now - 5
    assert hot.header.origin.revocation_complete_from == now - 5 - 86_400


def test_deltas_are_applied_to_what_is_there(
    site: SyncSite, centre: Centre, server: FileServer, grown: list[Fact], now: int
) -> None:
    centre.write_site("edge-1", grown, 8, now - 3)
    centre.write_site("edge-1", [*grown, assignment(7000, 3)], 9, now - 2)
    centre.write_hot([event(1), event(2)], 9, now - 2)
    centre.publish(9, now - 2)
    server.asked.clear()
    assert site.sync() == ""
    assert site.header == centre.lines["edge-1"].header
    assert site.revision == 9
    assert site.confirmed == (site.header.digest, 9, now - 2)
    assert len(read_hot(hot_path(site.bundle)).events) == 2
    assert not [path for path, _ in server.asked if path.endswith(".bundle")]


def test_unchanged_part_is_confirmed_without_being_fetched(
    site: SyncSite, centre: Centre, server: FileServer, now: int
) -> None:
    before = site.bundle.read_bytes()
    server.asked.clear()
    centre.publish(12, now)
    assert site.sync() == ""
    assert site.bundle.read_bytes() == before
    assert site.confirmed == (site.header.digest, 12, now)
    assert not [path for path, _ in server.asked if path.endswith((".bundle", ".delta"))]


def test_site_that_lags_too_far_fetches_a_base(
    site: SyncSite, centre: Centre, server: FileServer, grown: list[Fact], now: int
) -> None:
    centre.write_site("edge-1", grown, 20, now - 3, base=True)
    centre.write_site("edge-1", [*grown, assignment(7000, 3)], 21, now - 2)
    centre.publish(21, now - 2)
    assert site.sync() == ""
    assert site.header == centre.lines["edge-1"].header
    assert site.revision == 21


def test_damaged_bundle_is_replaced(site: SyncSite, centre: Centre) -> None:
    site.bundle.write_bytes(b"nothing")
    assert site.sync() == ""
    assert site.revision == 7


def test_older_revision_is_put_in_force_if_the_centre_says_so(
    site: SyncSite, centre: Centre, now: int
) -> None:
    centre.lines["edge-1"].newest = None
    centre.write_site("edge-1", [assignment(1, 1)], 3, now - 1)
    centre.publish(3, now - 1)
    assert site.sync() == ""
    assert site.revision == 3
    assert site.confirmed == (site.header.digest, 3, now - 1)


def test_centre_without_events(new_site: SyncSite, centre: Centre, now: int) -> None:
    centre.hot.header = None
    centre.publish(8, now)
    assert new_site.sync() == ""
    hot = read_hot(hot_path(new_site.bundle))
    assert hot.events == frozenset()
    assert hot.header.origin.revocation_polled_at is None
    assert new_site.confirmed == (new_site.header.digest, 8, now)

"""Attacks by name (TUF specification §1.5.2, and what keys of one role alone can do).

After each one what was in force is in force, byte for byte, and the log says why.
"""

from __future__ import annotations

import gzip
import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from authmw.bundle.sites.chains import Base, Chain, Link, SiteHead, dump_site_head
from authmw.bundle.sites.names import CENTRE, CENTRE_HEAD, site_head, site_role
from tests.bundle.sync.centre import Centre, new_signer
from tests.bundle.sync.conftest import event
from tests.bundle.sync.file_server import FileServer, _Handler
from tests.bundle.sync.site import SyncSite
from tests.support.bundle_facts import Fact, assignment, facts

pytestmark = pytest.mark.heavy

EDGE_1, EDGE_2 = site_role("edge-1"), site_role("edge-2")


@pytest.fixture
def attacked(
    site: SyncSite, caplog: pytest.LogCaptureFixture
) -> Iterator[pytest.LogCaptureFixture]:
    """Whatever a test does, it leaves what was in force; the test says what the log says."""
    caplog.set_level(logging.ERROR)
    before = site.in_force()
    assert len(before) == 2
    yield caplog
    assert site.in_force() == before


def metadata(centre: Centre, name: str) -> Path:
    return centre.directory / "metadata" / name


def refused(site: SyncSite, caplog: pytest.LogCaptureFixture, *words: str) -> None:
    """Sync, and see it refused, with these words in the log and in the status."""
    failure = site.sync()
    assert failure
    for word in words:
        assert word in failure
        assert word in caplog.text
    assert "stays in force" in caplog.text


# --- rollback


def test_rollback_of_the_timestamp(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture, now: int
) -> None:
    old = metadata(centre, "timestamp.json").read_bytes()
    centre.publish_timestamp()
    assert site.sync() == ""
    metadata(centre, "timestamp.json").write_bytes(old)
    refused(site, attacked, "timestamp.json", "plays one back")


def test_rollback_of_the_snapshot(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture
) -> None:
    """By who has the timestamp's key."""
    centre.publish_snapshot()
    assert site.sync() == ""
    centre.metadata["snapshot"].signed.version = 1
    centre.publish_timestamp()
    refused(site, attacked, "other versions", "snapshot")


def test_rollback_of_a_site_s_role(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture
) -> None:
    """By who has the keys of timestamp and snapshot."""
    centre.publish_roles(EDGE_1)
    assert site.sync() == ""
    centre.publish_snapshot({EDGE_1: 1})
    refused(site, attacked, "other versions", EDGE_1)


@pytest.mark.parametrize("path", [CENTRE_HEAD, site_head("edge-1")])
def test_rollback_of_a_head(
    site: SyncSite,
    centre: Centre,
    attacked: pytest.LogCaptureFixture,
    path: str,
    grown: list[Fact],
    now: int,
) -> None:
    """By who can write to the server alone."""
    old = centre.stored(path).read_bytes()
    centre.write_site("edge-1", grown, 8, now - 2)
    # The events are as they were, so that nothing is to be written but what the head says.
    centre.publish(8, now - 5)
    centre.stored(path).write_bytes(old)
    refused(site, attacked, "not those that the signed metadata announces", path)


# --- freeze


def test_indefinite_freeze(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture, now: int
) -> None:
    with time_machine.travel(now + 2 * 86_400, tick=True):
        refused(site, attacked, "has expired", "timestamp")


def test_freeze_of_the_snapshot_alone(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture, now: int
) -> None:
    """By who has the timestamp's key, and goes on signing."""
    centre.lifetimes["timestamp"] = timedelta(days=9)
    centre.publish_timestamp()
    with time_machine.travel(now + 2 * 86_400, tick=True):
        refused(site, attacked, "has expired", "snapshot")


# --- fast-forward


def test_fast_forward_and_recovery_by_new_keys(
    site: SyncSite,
    centre: Centre,
    caplog: pytest.LogCaptureFixture,
    grown: list[Fact],
    now: int,
) -> None:
    """By who has had the keys of timestamp and snapshot: nothing newer would ever be accepted."""
    honest = {role: centre.metadata[role].signed.version for role in ("timestamp", "snapshot")}
    for role in honest:
        centre.metadata[role].signed.version = 1 << 30
    centre.publish_snapshot()
    before = site.in_force()
    assert site.sync() == ""
    for role, version in honest.items():
        centre.metadata[role].signed.version = version
    centre.write_site("edge-1", grown, 8, now - 2)
    centre.publish(8, now - 2)
    refused(site, caplog, "other versions", "timestamp")
    assert site.in_force() == before
    centre.rotate("timestamp", "snapshot")
    centre.publish_snapshot()
    assert site.sync() == ""
    assert site.revision == 8


def test_fast_forward_of_a_site_s_role_and_recovery(
    site: SyncSite, centre: Centre, grown: list[Fact], now: int, caplog: pytest.LogCaptureFixture
) -> None:
    honest = centre.metadata[EDGE_1].signed.version
    centre.metadata[EDGE_1].signed.version = 1 << 30
    centre.publish_roles(EDGE_1)
    assert site.sync() == ""
    before = site.in_force()
    centre.metadata[EDGE_1].signed.version = honest
    centre.write_site("edge-1", grown, 8, now - 2)
    centre.publish(8, now - 2)
    refused(site, caplog, "other versions", EDGE_1)
    assert site.in_force() == before
    # A new key for the snapshot frees the versions of everything below it.
    centre.rotate("snapshot", "timestamp")
    centre.signers[EDGE_1] = [new_signer()]
    centre.delegate()
    centre.publish(8, now - 2)
    assert site.sync() == ""
    assert site.revision == 8


# --- mix-and-match


def test_mix_of_metadata_of_two_publications(
    site: SyncSite,
    centre: Centre,
    attacked: pytest.LogCaptureFixture,
    grown: list[Fact],
    now: int,
) -> None:
    old = centre.metadata[EDGE_1].signed.version
    centre.write_site("edge-1", grown, 8, now - 2)
    # The events and the time stay, so that nothing but the part of the site would change.
    centre.publish(7, now - 5)
    shutil.copyfile(
        metadata(centre, f"{old}.{EDGE_1}.json"), metadata(centre, f"{old + 1}.{EDGE_1}.json")
    )
    refused(site, attacked, "other versions", EDGE_1)


def test_snapshot_of_another_publication(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture
) -> None:
    centre.publish_snapshot()
    shutil.copyfile(metadata(centre, "1.snapshot.json"), metadata(centre, "2.snapshot.json"))
    refused(site, attacked, "other versions", "snapshot")


# --- endless data, slow data


def send_endlessly(handler: _Handler) -> None:
    """Send a body without end and without a length, until the client hangs up."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(4_000):
            handler.wfile.write(bytes(1 << 20))
            SENT.append(1 << 20)
    except OSError:
        pass


SENT: list[int] = []


def announce_much(handler: _Handler) -> None:
    """Announce a body of a terabyte."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    handler.close_connection = True
    send_endlessly(handler)


def drip(handler: _Handler) -> None:
    """Send a byte now and then: no time-out of a single step ever notices."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(200):
            handler.wfile.write(b"{")
            time.sleep(0.1)
    except OSError:
        pass


def drip_head(handler: _Handler) -> None:
    handler.close_connection = True
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(200):
            handler.wfile.write(b"x")
            time.sleep(0.1)
    except OSError:
        pass


@pytest.fixture
def newer(centre: Centre, site: SyncSite, grown: list[Fact], now: int) -> Centre:
    """Revision 8 is published, but for the events and the time of the last revision."""
    centre.write_site("edge-1", grown, 8, now - 5, base=True)
    centre.publish(7, now - 5)
    return centre


FILES = ["2.root.json", "timestamp.json", "2.snapshot.json", f"2.{EDGE_1}.json", ".bundle"]


@pytest.mark.parametrize("ending", FILES)
@pytest.mark.parametrize("behaviour", [send_endlessly, announce_much])
def test_endless_data(
    site: SyncSite,
    newer: Centre,
    server: FileServer,
    attacked: pytest.LogCaptureFixture,
    ending: str,
    behaviour: object,
) -> None:
    SENT.clear()
    server.behaviours[ending] = behaviour  # type: ignore[assignment]
    refused(site, attacked, "more bytes than the metadata announces")
    assert server.asked[-1][0].endswith(ending)
    # Up to what is allowed for a file of that kind, and what the sockets hold.
    assert sum(SENT) < 48 << 20


@pytest.mark.parametrize("ending", FILES)
@pytest.mark.parametrize("behaviour", [drip, drip_head])
def test_slow_drip(
    site: SyncSite,
    newer: Centre,
    server: FileServer,
    attacked: pytest.LogCaptureFixture,
    ending: str,
    behaviour: object,
) -> None:
    site.http = "deadline_seconds = 0.6\nleast_bytes_per_second = 100_000_000\nread_seconds = 9"
    site.write()
    server.behaviours[ending] = behaviour  # type: ignore[assignment]
    began = time.monotonic()
    refused(site, attacked, "the server is too slow")
    assert time.monotonic() - began < 8


def test_bomb_of_compressed_data(
    site: SyncSite, newer: Centre, server: FileServer, attacked: pytest.LogCaptureFixture
) -> None:
    bomb = gzip.compress(bytes(64 << 20))
    server.behaviours[".bundle"] = lambda handler: handler.answer(
        200, bomb[:20_000], {"Content-Encoding": "gzip"}
    )
    refused(site, attacked, "a content coding that nobody asked for")


# --- wrong targets


@pytest.mark.parametrize("change", ["other", "longer", "shorter", "nothing"])
def test_wrong_target(
    site: SyncSite, newer: Centre, attacked: pytest.LogCaptureFixture, change: str
) -> None:
    base = newer.lines["edge-1"].chain.base.path
    stored = newer.stored(base)
    right = stored.read_bytes()
    wrong = {
        "other": right[:-1] + bytes([right[-1] ^ 1]),
        "longer": right + b"\0",
        "shorter": right[:-1],
        "nothing": b"",
    }
    stored.write_bytes(wrong[change])
    said = "more bytes than" if change == "longer" else "not those that the signed metadata"
    refused(site, attacked, said, base)


# --- another site's bundle


def test_another_site_s_head_renamed(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture, now: int
) -> None:
    """By who can write to the server alone."""
    centre.publish(7, now - 5)
    shutil.copyfile(centre.stored(site_head("edge-2")), centre.stored(site_head("edge-1")))
    (site.directory / "cloud.bundle.sync" / "incoming" / "sites%2Fedge-1%2Fhead.json").unlink()
    refused(site, attacked, "not those that the signed metadata announces", site_head("edge-1"))


def test_another_site_s_head_under_the_name_of_ours(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture
) -> None:
    """By a centre that errs: signed by our key, and not ours."""
    head = dump_site_head(SiteHead("edge-2", centre.lines["edge-2"].chain))
    centre.add_target(site_head("edge-1"), head)
    centre.publish_roles(EDGE_1)
    refused(site, attacked, "another site")


def test_head_that_names_another_site_s_bundle(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture
) -> None:
    head = dump_site_head(SiteHead("edge-1", centre.lines["edge-2"].chain))
    centre.add_target(site_head("edge-1"), head)
    centre.publish_roles(EDGE_1)
    refused(site, attacked, "is not in 'sites/edge-1'")


# --- stolen keys


def test_stolen_key_of_another_site_signs_ours(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture, grown: list[Fact], now: int
) -> None:
    """With the keys of timestamp and snapshot as well."""
    centre.write_site("edge-1", grown, 8, now - 5)
    centre.signers[EDGE_1] = centre.signers[EDGE_2]
    head = dump_site_head(SiteHead("edge-1", centre.lines["edge-1"].chain))
    centre.add_target(site_head("edge-1"), head)
    centre.publish_roles(EDGE_1)
    refused(site, attacked, "not signed by enough keys", EDGE_1)


def test_stolen_key_of_another_site_lists_our_paths(
    site: SyncSite, centre: Centre, grown: list[Fact], now: int, attacked: pytest.LogCaptureFixture
) -> None:
    """In its own role's metadata, where nobody looks for them."""
    thief = Centre(centre.directory.with_name("thief"))
    thief.write_site("edge-1", grown, 999, now - 5)
    head = dump_site_head(SiteHead("edge-1", thief.lines["edge-1"].chain))
    centre.add_target(site_head("edge-1"), head, role=EDGE_2)
    centre.metadata[EDGE_1].signed.targets.clear()
    centre.publish_roles(EDGE_1, EDGE_2)
    refused(site, attacked, "the centre publishes no target sites/edge-1/head.json")


def test_stolen_key_of_a_site_and_recovery_by_another_key(
    site: SyncSite,
    centre: Centre,
    server: FileServer,
    tmp_path: Path,
    now: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The key of edge-2, and those of timestamp and snapshot: edge-2 is lost, edge-1 is not."""
    root = metadata(centre, "1.root.json").read_bytes()
    other = SyncSite(tmp_path / "other", "edge-2", server.url, root)
    assert other.sync() == ""
    honest = centre.lines["edge-2"].chain
    evil = [assignment(1, 666)]
    centre.lines["edge-2"].newest = None
    centre.write_site("edge-2", evil, 999_999, now - 5)
    head = dump_site_head(SiteHead("edge-2", centre.lines["edge-2"].chain))
    centre.add_target(site_head("edge-2"), head)
    centre.publish_roles(EDGE_2)
    before = site.in_force()
    assert site.sync() == ""
    assert site.in_force() == before
    assert other.sync() == ""
    assert other.revision == 999_999
    # Targets, offline, delegate to another key, and publish what is true: an older number.
    centre.signers[EDGE_2] = [new_signer()]
    centre.delegate()
    centre.add_target(site_head("edge-2"), dump_site_head(SiteHead("edge-2", honest)))
    centre.publish_roles("targets", EDGE_2)
    assert other.sync() == ""
    assert other.revision == 7
    assert other.confirmed == (other.header.digest, 7, now - 5)
    assert site.sync() == ""


def test_stolen_key_of_the_timestamp(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture, grown: list[Fact], now: int
) -> None:
    """It announces a snapshot, which the thief can't sign."""
    centre.write_site("edge-1", grown, 8, now - 5)
    head = dump_site_head(SiteHead("edge-1", centre.lines["edge-1"].chain))
    centre.add_target(site_head("edge-1"), head)
    for role in ("snapshot", EDGE_1):
        centre.signers[role] = [new_signer()]
    centre.publish_roles(EDGE_1)
    refused(site, attacked, "not signed by enough keys", "snapshot")


@pytest.mark.parametrize("role", [EDGE_1, "targets"])
def test_stolen_keys_of_snapshot_and_timestamp_call_no_old_part_current(
    site: SyncSite,
    centre: Centre,
    attacked: pytest.LogCaptureFixture,
    grown: list[Fact],
    now: int,
    role: str,
) -> None:
    """The newest head of the centre beside an old part, or an old delegation."""
    centre.binds = True
    old = centre.metadata[role].signed.version
    centre.write_site("edge-1", grown, 8, now - 2)
    centre.publish(8, now - 2)
    centre.publish_snapshot({role: old})
    refused(site, attacked, "centre/head.json is of another snapshot", "plays one back")


def test_stolen_key_of_the_centre_s_role_mints_for_no_site(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture, grown: list[Fact], now: int
) -> None:
    centre.write_site("edge-1", grown, 8, now - 5)
    head = dump_site_head(SiteHead("edge-1", centre.lines["edge-1"].chain))
    del centre.metadata[EDGE_1].signed.targets[site_head("edge-1")]
    centre.add_target(site_head("edge-1"), head, role=CENTRE)
    centre.publish_roles(CENTRE, EDGE_1)
    refused(site, attacked, "the centre publishes no target sites/edge-1/head.json")


def test_root_was_rotated_ten_times_while_the_site_was_away(
    site: SyncSite, centre: Centre, caplog: pytest.LogCaptureFixture, grown: list[Fact], now: int
) -> None:
    former = list(centre.signers["root"])
    for _ in range(10):
        centre.rotate("root", "timestamp", "snapshot", "targets")
    centre.write_site("edge-1", grown, 8, now - 2)
    centre.publish(8, now - 2)
    with time_machine.travel(now + 3600, tick=True):
        assert site.sync() == ""
    assert site.revision == 8
    # Whoever has the keys of the site's first root can do nothing with them.
    before = site.in_force()
    centre.signers["root"] = former
    centre.trust_keys()
    centre.sign_root()
    refused(site, caplog, "not signed by enough keys", "root")
    assert site.in_force() == before


def test_rotation_that_its_former_keys_did_not_sign(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture
) -> None:
    centre.signers["root"] = [new_signer(), new_signer()]
    centre.trust_keys()
    centre.sign_root()
    refused(site, attacked, "not signed by enough keys", "root")


# --- signed, and yet no bundle


def publish_chain(centre: Centre, chain: Chain) -> None:
    centre.add_target(site_head("edge-1"), dump_site_head(SiteHead("edge-1", chain)))
    centre.publish_roles(EDGE_1)


def test_delta_for_another_base(
    site: SyncSite,
    centre: Centre,
    attacked: pytest.LogCaptureFixture,
    grown: list[Fact],
    now: int,
) -> None:
    """The base does not help either: it is of the same kind."""
    line = centre.lines["edge-1"]
    line.newest = None
    centre.write_site("edge-1", facts(30), 7, now - 60)
    centre.write_site("edge-1", grown, 8, now - 5)
    right = line.chain
    # The base that the head names is the one that the site has; the delta is for another one.
    first = Base(right.base.path, 7, site.header.digest)
    publish_chain(centre, Chain(right.revision, right.digest, first, right.deltas))
    refused(site, attacked, "another bundle than the head names")


def test_delta_that_does_not_fit_costs_a_base_and_no_more(
    site: SyncSite, centre: Centre, grown: list[Fact], now: int, caplog: pytest.LogCaptureFixture
) -> None:
    line = centre.lines["edge-1"]
    centre.write_site("edge-1", grown, 8, now - 5)
    broken = line.links[0]
    centre.add_target(broken.path, b"no delta")
    centre.write_site("edge-1", grown, 9, now - 4, base=True)
    base = line.chain.base
    chain = Chain(9, base.digest, base, (broken, Link(broken.path, 8, 9, base.digest)))
    publish_chain(centre, chain)
    assert site.sync() == ""
    assert site.revision == 9
    assert "a whole bundle is fetched instead" in caplog.text


def other_application(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bundle (revision)")
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["noise", "other", "cut", "rows", "delta"])
def test_base_that_is_no_bundle(
    site: SyncSite,
    newer: Centre,
    attacked: pytest.LogCaptureFixture,
    kind: str,
    tmp_path: Path,
) -> None:
    chain = newer.lines["edge-1"].chain
    right = newer.stored(chain.base.path).read_bytes()
    content = {
        "noise": bytes(range(256)) * 64,
        "other": other_application(tmp_path / "other"),
        "cut": right[: len(right) // 2],
        "rows": right.replace(b"user-1", b"user-9"),
        "delta": b"\x8b\x74authmw bundle delta\x01",
    }
    assert content[kind] != right
    newer.add_target(chain.base.path, content[kind])
    publish_chain(newer, chain)
    refused(site, attacked, "the base", "not usable as a bundle")


@pytest.mark.parametrize(
    "content",
    [
        b"no delta",
        # Of an array of 2^63 items, and a byte string of 2^62 bytes.
        b"\x9b\x7f" + b"\xff" * 7,
        b"\x81\x5b\x40" + bytes(7),
    ],
)
def test_delta_that_is_none(
    site: SyncSite, newer: Centre, attacked: pytest.LogCaptureFixture, content: bytes, now: int
) -> None:
    line = newer.lines["edge-1"]
    newer.write_site("edge-1", facts(70), 9, now - 5)
    newer.add_target(line.links[-1].path, content)
    publish_chain(newer, line.chain)
    refused(site, attacked, "the delta", line.links[-1].path)


def test_target_that_is_too_large_is_not_asked_for(
    site: SyncSite, newer: Centre, server: FileServer, attacked: pytest.LogCaptureFixture
) -> None:
    """Whoever signed it."""
    site.options = "most_target_bytes = 4096"
    site.write()
    server.asked.clear()
    refused(site, attacked, "most_target_bytes")
    assert not [path for path, _ in server.asked if path.endswith(".bundle")]


def test_events_that_are_none(
    site: SyncSite, centre: Centre, attacked: pytest.LogCaptureFixture, now: int
) -> None:
    """A hot chain with grants: they must not come in by the back door."""
    centre.write_hot([event(1), assignment(1, 666)], 8, now - 5)
    centre.publish(8, now - 5)
    assert "assignments" in site.sync()
    assert "assignments" in attacked.text

"""A real centre and a site's real client: rotations, thefts, and a centre that was down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from authmw.bundle.centre.keys import load_key, secrets_of
from authmw.bundle.centre.repository import read_head
from authmw.bundle.file import Header, Origin, write_bundle
from authmw.bundle.sites.chains import (
    Base,
    CentreHead,
    Chain,
    SiteHead,
    digest_versions,
    dump_centre_head,
    dump_site_head,
)
from authmw.bundle.sync.status import make_report
from tests.bundle.centre.centres import Centre, Site, serve
from tests.bundle.sync.site import SyncSite
from tests.support.bundle_facts import READ_AT, Fact, assignment, changed, facts

pytestmark = pytest.mark.heavy

_FAR = 1_000_000_000
ROLES = ("site.edge-1", "centre", "snapshot", "timestamp")


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    centre = Centre(tmp_path)
    centre.configure()
    return centre


@pytest.fixture
def url(centre: Centre) -> Iterator[str]:
    with serve(centre.www) as served:
        yield served


def event(name: str) -> Fact:
    return "revocation_events", (1, f'{{"audit_id":"{name}"}}')


class Thief:
    """Has the online keys of a centre, and can write to its repository."""

    def __init__(self, centre: Centre) -> None:
        self._www = centre.www
        self._work = centre.directory / "thief"
        self._work.mkdir()
        self._signers: dict[str, Signer] = {}
        for role in ROLES:
            key = load_key(str(centre.keys / f"{role}.pem"), secrets_of(None, None))
            assert key is not None
            assert key.signer is not None
            self._signers[role] = key.signer

    def publish(self, version: int) -> None:
        """Publish rights and events of their own, as what is newest for ever."""
        now = int(time.time())
        part = self._write("part", Origin(version, now, "x"), [assignment(1, 666)])
        hot = self._write("events", Origin(version, now, "x", now, 0), [event("evil")])
        meta = {"targets.json": 1, "centre.json": version, "site.edge-1.json": version}
        chain = self._chain("sites/edge-1/evil.bundle", part)
        site_head = dump_site_head(SiteHead("edge-1", chain))
        events = self._chain("centre/evil.bundle", hot)
        head = CentreHead(version, now, events, now, 0, digest_versions(meta))
        self._sign(
            "site.edge-1",
            Targets(
                targets={
                    **self._put("sites/edge-1/head.json", site_head),
                    **self._put(chain.base.path, (self._work / "part").read_bytes()),
                }
            ),
            version,
        )
        self._sign(
            "centre",
            Targets(
                targets={
                    **self._put("centre/head.json", dump_centre_head(head)),
                    **self._put(events.base.path, (self._work / "events").read_bytes()),
                }
            ),
            version,
        )
        named = {name: MetaFile(each) for name, each in meta.items()}
        self._sign("snapshot", Snapshot(meta=named), version)
        self._sign("timestamp", Timestamp(snapshot_meta=MetaFile(version)), version)

    def _write(self, name: str, origin: Origin, rows: list[Fact]) -> Header:
        (self._work / name).unlink(missing_ok=True)
        return write_bundle(self._work / name, origin, rows)

    def _chain(self, path: str, header: Header) -> Chain:
        state = (header.origin.revision, header.digest)
        return Chain(*state, Base(path, *state))

    def _put(self, path: str, content: bytes) -> dict[str, TargetFile]:
        info = TargetFile.from_data(path, content, ["sha256"])
        place = self._www / "targets" / info.get_prefixed_paths()[0]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return {path: info}

    def _sign(self, role: str, signed: Any, version: int) -> None:
        signed.version = version
        signed.expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=300)
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign(self._signers[role])
        name = f"{role}.json" if role == "timestamp" else f"{version}.{role}.json"
        (self._www / "metadata" / name).unlink(missing_ok=True)
        (self._www / "metadata" / name).write_bytes(metadata.to_bytes())


@pytest.mark.parametrize("is_published_first", [True, False], ids=["published", "rotated"])
def test_rotation_ends_what_a_thief_of_all_online_keys_can_do(
    centre: Centre, url: str, tmp_path: Path, *, is_published_first: bool
) -> None:
    centre.run("init")
    centre.publish([*facts(60), event("honest")])
    edge = SyncSite(tmp_path / "edge", "edge-1", url, centre.root)
    assert edge.sync() == ""
    honest = edge.header.digest
    thief = Thief(centre)
    thief.publish(_FAR)
    assert edge.sync() == ""
    assert edge.revision == _FAR
    assert "evil" in str(edge.events)
    if is_published_first:
        centre.publish([*facts(60), event("honest")])
        assert "other versions" in edge.sync()
    centre.run("rotate", "snapshot", "timestamp", "centre")
    centre.run("rotate", "site", "edge-1")
    assert edge.sync() == ""
    assert edge.header.digest == honest
    assert edge.events == {'{"audit_id":"honest"}'}
    assert edge.confirmed is not None
    assert edge.confirmed[:2] == (honest, 1 + is_published_first)
    # The old keys sign nothing that counts.
    before = edge.in_force()
    thief.publish(2 * _FAR)
    assert "not signed by enough keys" in edge.sync()
    assert edge.in_force() == before
    centre.publish(changed(facts(60)))
    assert edge.sync() == ""
    assert edge.revision == 2 + is_published_first


@pytest.mark.parametrize("role", ["site edge-2", "centre", "targets", "snapshot timestamp"])
def test_newest_head_stays_bound_to_what_a_rotation_signs(
    role: str, centre: Centre, url: str, tmp_path: Path
) -> None:
    """A site refuses a head of the centre that is of other versions of any role."""
    centre.configure("[sites.edge-1]\n[sites.edge-2]\n")
    centre.run("init")
    centre.publish(facts(60))
    edge = SyncSite(tmp_path / "edge", "edge-1", url, centre.root)
    assert edge.sync() == ""
    centre.run("rotate", *role.split())
    assert edge.sync() == ""
    assert (
        read_head(centre.state)
        == Site(tmp_path / "other", "edge-1", url, centre.root).head_of_centre()
    )
    centre.publish(changed(facts(60)))
    assert edge.sync() == ""
    assert edge.revision == 2


@pytest.mark.parametrize("days", [1, 8, 40])
def test_centre_that_was_down_costs_sites_nothing(
    centre: Centre, url: str, tmp_path: Path, days: int
) -> None:
    centre.run("init")
    centre.publish(facts())
    edge = SyncSite(tmp_path / "edge", "edge-1", url, centre.root)
    assert edge.sync() == ""
    before = edge.in_force()
    with time_machine.travel(time.time() + days * 86_400, tick=True):
        assert "has expired" in edge.sync()
        assert edge.in_force() == before
        report = make_report(edge.bundle, time.time())
        assert report is not None
        assert any("timestamp has expired" in each for each in report.stale)
        centre.publish(changed(facts()))
        assert edge.sync() == ""
        assert edge.revision == 2
        assert edge.confirmed == (edge.header.digest, 2, READ_AT + 2)

"""What `authmw doctor` says of the process that syncs a site's bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from authmw.config.loading import load_settings
from authmw.doctor.deployment import Deployment
from authmw.doctor.result import Result, Status
from authmw.doctor.sync import check_sync
from tests.bundle.sync.file_server import FileServer
from tests.bundle.sync.site import SyncSite
from tests.support.clock import Clock

pytestmark = pytest.mark.heavy


def examine(bundle: Path, clock: Clock, authority: str = "bundle") -> dict[str, Result]:
    conf = {
        "jws_public_key_repository": str(bundle.parent),
        "token_validation": "offline",
        "jws_authority": authority,
        "bundle_path": str(bundle),
    }
    deployment = Deployment(load_settings(conf), conf, clock=clock)
    return {result.check: result for result in check_sync(deployment)}


def test_the_doctor_finds_nothing_wrong_with_a_site_that_is_up_to_date(site: SyncSite) -> None:
    found = examine(site.bundle, Clock())
    assert [result.status for result in found.values()] == [Status.PASS, Status.PASS]


@pytest.mark.parametrize(
    ("later", "check", "status", "said"),
    [
        (400, "bundle sync", Status.FAIL, "the last sync that came to its end"),
        (90_000, "bundle sync metadata", Status.FAIL, "timestamp has expired"),
        (355 * 86_400, "bundle sync metadata", Status.FAIL, "has expired"),
    ],
)
def test_the_doctor_names_what_is_wrong_with_syncs(
    site: SyncSite, later: int, check: str, status: Status, said: str
) -> None:
    clock = Clock()
    clock.advance(later)
    result = examine(site.bundle, clock)[check]
    assert result.status is status
    assert said in result.detail
    assert result.fix


def test_the_doctor_says_why_syncs_fail(site: SyncSite, server: FileServer) -> None:
    server.behaviours["timestamp.json"] = lambda handler: handler.answer(503, b"busy")
    assert site.sync()
    result = examine(site.bundle, Clock())["bundle sync"]
    assert result.status is Status.WARN
    assert "status 503" in result.detail


@pytest.mark.parametrize("authority", ["bundle", "claims"])
def test_nothing_is_said_where_nobody_syncs(tmp_path: Path, authority: str) -> None:
    found = examine(tmp_path / "cloud.bundle", Clock(), authority)
    assert [result.status for result in found.values()] == [Status.SKIP]

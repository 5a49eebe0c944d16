"""The file in which a sync process says how it is may hold anything; who reads it must not fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from authmw.bundle.sync.directory import SyncDirectory
from authmw.bundle.sync.status import SyncStatus, make_report, read_status

GOOD: dict[str, Any] = {
    "format": 1,
    "site": "edge-1",
    "pid": 1,
    "poll_seconds": 5.0,
    "stale_after_seconds": 300,
    "last_success_at": 1_800_000_000.5,
    "last_failure_at": None,
    "failure_kind": None,
    "failure": None,
    "failures_in_a_row": 0,
    "next_poll_at": 1_800_000_005.5,
    "attempts": {"success": 3},
    "received_bytes": 1 << 40,
    "roles": {"root": {"version": 1, "expires_at": 1_900_000_000}},
}
ODD: tuple[object, ...] = (
    *("text", "\x1b[2J", "", [], {}, [1], True, -1, 1e300, float("nan"), float("inf")),
    *({"root": 1}, {"root": {}}, {"root": {"version": 1, "expires_at": "never"}}, {"x\n": 1}),
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "cloud.bundle.sync").mkdir()
    return tmp_path / "cloud.bundle"


def test_what_was_written_is_read(bundle: Path) -> None:
    path = SyncDirectory(bundle).status
    written = SyncStatus(**{name: value for name, value in GOOD.items() if name != "format"})
    written.write(path)
    assert read_status(path) == written
    assert make_report(bundle, 1_800_000_001.0) is not None


@pytest.mark.parametrize("member", GOOD)
def test_odd_members_harm_no_reader(bundle: Path, member: str) -> None:
    path = SyncDirectory(bundle).status
    unread = 0
    for value in ODD:
        path.write_text(json.dumps({**GOOD, member: value}))
        unread += read_status(path) is None
        make_report(bundle, 1_800_000_001.0)
    assert unread >= len(ODD) - 3


def test_deep_nesting_is_of_no_form(bundle: Path) -> None:
    path = SyncDirectory(bundle).status
    path.write_text("[" * 100_000)
    assert read_status(path) is None

"""A process that is killed, or has no room, leaves the old revision in force, or the new one."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from authmw.bundle.file import apply_delta, install_bundle, make_delta, verify_bundle
from tests.support.bundle_facts import NEW_ORIGIN, OLD_ORIGIN, assignment, changed, facts, write
from tests.support.killing import fork, kill_at

pytestmark = pytest.mark.heavy


def revisions(path: Path) -> int:
    return verify_bundle(path).origin.revision


@pytest.fixture(params=["copy", "spare"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a bundle, and a delta and a whole bundle of the next revision."""
    folder = tmp_path / "site"
    folder.mkdir()
    bundle = folder / "bundle"
    write(bundle, facts(60))
    if request.param == "spare":
        before = replace(OLD_ORIGIN, revision=OLD_ORIGIN.revision - 1)
        write(bundle, [*facts(60), assignment(1, 70)], before)
        write(folder / "whole", facts(60))
        make_delta(bundle, folder / "whole", folder / "delta")
        apply_delta(bundle, folder / "delta")
    write(folder / "whole", changed(facts(60)), NEW_ORIGIN)
    make_delta(bundle, folder / "whole", folder / "delta")
    return folder


ACTIONS = {
    "apply": lambda folder: apply_delta(folder / "bundle", folder / "delta"),
    "install": lambda folder: install_bundle(folder / "bundle", folder / "whole"),
    "write": lambda folder: write(folder / "bundle", changed(facts(60)), NEW_ORIGIN),
}


@pytest.mark.parametrize("step", [47, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_at_any_system_call(action: str, step: int, site: Path, tmp_path: Path) -> None:
    seen = []
    folder = tmp_path / "killed"
    for stop in range(1, 10_000, step):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(site, folder)
        was_killed = kill_at(stop, lambda: ACTIONS[action](folder))
        seen.append(revisions(folder / "bundle"))
        # What is left behind hinders nobody.
        if len(seen) % 5 == 0:
            ACTIONS["apply"](folder)
            assert revisions(folder / "bundle") == NEW_ORIGIN.revision
        if not was_killed:
            break
    assert seen == sorted(seen)
    assert set(seen) == {OLD_ORIGIN.revision, NEW_ORIGIN.revision}
    assert len(seen) * step > 100


@pytest.mark.parametrize("action", ACTIONS)
def test_files_must_not_grow(action: str, site: Path, tmp_path: Path) -> None:
    """EFBIG at every size, as a quota or a full disk would stop a write."""
    folder = tmp_path / "small"
    largest = max(each.stat().st_size for each in site.iterdir())
    refused = 0
    for limit in range(0, largest, 3_000):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(site, folder)

        def limited(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            ACTIONS[action](folder)

        _, status = os.waitpid(fork(limited), 0)
        assert os.WEXITSTATUS(status) in (0, 2)
        refused += os.WEXITSTATUS(status) == 2
        if os.WEXITSTATUS(status) == 2:
            assert revisions(folder / "bundle") == OLD_ORIGIN.revision
            assert not (folder / "bundle.new").exists()
    assert refused > 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, timeout=10, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], timeout=10, check=True)


def fill(disk: Path) -> None:
    with open(disk / "full", "ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.mark.parametrize("action", ACTIONS)
def test_disk_is_full(action: str, site: Path, small_disk: Path) -> None:
    folder = small_disk / "site"
    shutil.copytree(site, folder)
    # Two files in turn would need no room.
    (folder / "bundle.spare").unlink(missing_ok=True)
    fill(small_disk)
    before = (folder / "bundle").read_bytes()
    with pytest.raises(OSError, match=r"No space left|full|disk I/O"):
        ACTIONS[action](folder)
    assert (folder / "bundle").read_bytes() == before
    assert not (folder / "bundle.new").exists()
    (small_disk / "full").unlink()
    ACTIONS["apply"](folder)
    assert revisions(folder / "bundle") == NEW_ORIGIN.revision

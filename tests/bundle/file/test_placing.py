"""Who can read a file that replaces another, meanwhile and afterwards."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.bundle.file.placing import replacement_of


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    former = os.umask(0)
    yield
    os.umask(former)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("former", "given", "meanwhile", "afterwards"),
    [
        (None, None, 0o644, 0o644),
        (None, 0o640, 0o600, 0o640),
        (0o640, None, 0o600, 0o640),
        (0o644, 0o640, 0o600, 0o644),
        (0o666, None, 0o600, 0o664),
        (0o400, None, 0o600, 0o400),
    ],
)
def test_nobody_reads_early_and_not_everybody_writes(
    former: int | None, given: int | None, meanwhile: int, afterwards: int, tmp_path: Path
) -> None:
    path = tmp_path / "bundle"
    if former is not None:
        path.touch()
        path.chmod(former)
    # As a process left it that was killed with other rules.
    path.with_name("bundle.new").touch(0o666)
    with replacement_of(path, mode=given) as new:
        assert mode_of(new) == meanwhile
    assert mode_of(path) == afterwards


def test_group_is_handed_down(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.touch()
    try:
        os.chown(path, -1, 12_345)
    except PermissionError:
        pytest.skip("only root can give a file to a group that it is not in")
    with replacement_of(path):
        pass
    assert path.stat().st_gid == 12_345


def test_link_in_the_place_of_the_new_file_is_not_followed(tmp_path: Path) -> None:
    path, other = tmp_path / "bundle", tmp_path / "other"
    other.write_text("of somebody else")
    path.with_name("bundle.new").symlink_to(other)
    with replacement_of(path) as new:
        new.write_text("new")
    assert (path.read_text(), other.read_text()) == ("new", "of somebody else")

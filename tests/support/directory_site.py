"""What a Keystone needs to have `directory_identity` for a driver; imports nothing of Keystone."""

from __future__ import annotations

from pathlib import Path

FILE_VARIABLE = "AUTHMW_TEST_DIRECTORY"
"""The environment variable that names the file: users and groups by id, members by group."""


def install_entry_point(directory: Path) -> None:
    """Write what makes Keystone find the driver as `directory`, if the directory is on the path."""
    info = directory / "authmw_test_directory-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: authmw-test-directory\nVersion: 1\n"
    )
    (info / "entry_points.txt").write_text(
        "[keystone.identity]\ndirectory = tests.support.directory_identity:Directory\n"
    )

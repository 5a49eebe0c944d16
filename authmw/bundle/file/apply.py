"""Puts a new revision in the place of the one in force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from authmw.bundle.file.header import Header


def apply_delta(path: Path, delta_path: Path) -> Header:
    """Change a bundle by a delta, in one step; on any failure the revision in force stays.

    The delta may be hostile. One that makes the revision that is in force already changes
    nothing.

    Returns:
        the header of the revision now in force.

    Raises:
        BundleUnreadable: the delta is not of our form, is for another base, or does not make the
            digest that it announces.
        OSError: a file can't be read or written.
    """
    raise NotImplementedError


def install_bundle(
    path: Path, new_path: Path, on_rows: Callable[[int], None] | None = None
) -> Header:
    """Verify a whole bundle and put a copy of it at `path`; on any failure what is there stays.

    Args:
        path: where the bundle in force lies, or none yet.
        new_path: the new one; it may be hostile.
        on_rows: see `verify_bundle`.

    Returns:
        the header of the revision now in force.

    Raises:
        BundleUnreadable: the new one is not as it should be, or is older than the one in force.
        OSError: a file can't be read or written.
    """
    raise NotImplementedError

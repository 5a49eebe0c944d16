"""Writes files so that a crash or a power cut leaves the old or the new state."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

# One call for all of them is cheaper than so many.
_MANY = 64


def sync(path: Path) -> None:
    """Return when a file, or the names in a directory, are on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(paths: Iterable[Path]) -> None:
    """Return when all of these are on disk."""
    some = list(paths)
    if len(some) > _MANY:
        os.sync()
        return
    for path in some:
        sync(path)


def write(path: Path, content: bytes) -> None:
    """Replace a file by one with another content."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    sync(path.parent)


def link(source: Path, target: Path) -> None:
    """Give a file a second name, in place of what has that name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.new")
    new.unlink(missing_ok=True)
    os.link(source, new)
    os.replace(new, target)
    # Two names of one file are left as they are by rename(2).
    new.unlink(missing_ok=True)

"""Puts a file in the place of another, in one step that a crash can't halve."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from authmw.errors import BundleUnreadable


@contextmanager
def replacement_of(path: Path) -> Iterator[Path]:
    """Give a path for a new file; at the end of the context it replaces `path`.

    The new file is synced before it is renamed. If anything is raised, it is deleted and what is
    at `path` stays. What a killed process left is overwritten.

    Raises:
        BundleUnreadable: another process writes it just now.
        OSError: the file can't be written.
    """
    new = path.with_name(f"{path.name}.new")
    descriptor = _lock(new, path)
    try:
        try:
            yield new
            os.fsync(descriptor)
            os.replace(new, path)
            _sync_directory(path.parent)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    finally:
        os.close(descriptor)


def _lock(new: Path, path: Path) -> int:
    """Make the new file, empty and locked, so that no two processes write it."""
    while True:
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same(descriptor, new):
                os.ftruncate(descriptor, 0)
                _take_mode(descriptor, path)
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise BundleUnreadable(f"another process writes {new}") from None
        except BaseException:
            os.close(descriptor)
            raise
        # Whoever had the lock has renamed the file since it was opened.
        os.close(descriptor)


def _take_mode(descriptor: int, path: Path) -> None:
    """Let those read the new file who may read the one that it replaces."""
    try:
        os.fchmod(descriptor, stat.S_IMODE(os.stat(path).st_mode))
    except FileNotFoundError:
        return


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

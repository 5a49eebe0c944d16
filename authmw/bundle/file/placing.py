"""Puts a file in the place of another, in one step that a crash can't halve."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from authmw.errors import BundleUnreadable


@contextmanager
def replacement_of(path: Path, *, keep_spare: bool = False) -> Iterator[Path]:
    """Give a path for a new file, which is empty; at the end of the context it replaces `path`.

    The new file is synced before it is renamed. If anything is raised, it is deleted and what is
    at `path` stays. What a killed process left is overwritten.

    Args:
        path: of the file in force, if there is one.
        keep_spare: keep the file in force as the spare one, for `take_spare`.

    Raises:
        BundleUnreadable: another process replaces it just now.
        OSError: the file can't be written.
    """
    new = path.with_name(f"{path.name}.new")
    with _only_one_for(path):
        try:
            new.unlink(missing_ok=True)
            new.touch()
            yield new
            _sync(new, os.O_RDWR)
            _take_mode(new, path)
            spare_of(path).unlink(missing_ok=True)
            if keep_spare:
                os.link(path, spare_of(path))
            os.replace(new, path)
            _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def spare_of(path: Path) -> Path:
    """Return where the file lies that was in force before the one at `path`."""
    return path.with_name(f"{path.name}.spare")


def take_spare(path: Path, new: Path) -> bool:
    """Make the spare file the new one, unless there is none or somebody still reads it.

    Readers hold a shared lock (flock) on what they read.

    Args:
        path: of the file in force.
        new: what `replacement_of` gave.

    Raises:
        OSError: files can't be read or renamed.
    """
    spare = spare_of(path)
    try:
        # A crash between linking and renaming leaves two names of one file.
        if os.path.samefile(spare, path):
            return False
        # From here on it is not taken for a whole file by anybody.
        os.replace(spare, new)
    except FileNotFoundError:
        return False
    descriptor = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Its readers keep it; the new file is another one.
        new.unlink()
        new.touch()
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def _only_one_for(path: Path) -> Iterator[None]:
    """Keep other processes from replacing the same file."""
    lock = path.with_name(f"{path.name}.lock")
    descriptor = _lock(lock)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            lock.unlink()
        os.close(descriptor)


def _lock(lock: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same(descriptor, lock):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise BundleUnreadable(f"another process has {lock}: it writes the file") from None
        # Whoever had it before has deleted it.
        os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _take_mode(new: Path, path: Path) -> None:
    """Let those read the new file who may read the one that it replaces."""
    with suppress(FileNotFoundError):
        new.chmod(stat.S_IMODE(path.stat().st_mode))


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

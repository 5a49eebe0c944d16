"""Puts a file in the place of another, in one step that a crash can't halve."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from authmw.errors import BundleUnreadable

_WORLD_WRITABLE = stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID


@contextmanager
def replacement_of(
    path: Path, *, keep_spare: bool = False, mode: int | None = None
) -> Iterator[Path]:
    """Give a path for a new file, which is empty; at the end of the context it replaces `path`.

    The new file is synced before it is renamed. If anything is raised, it is deleted and what is
    at `path` stays. What a killed process left is overwritten.

    Args:
        path: of the file in force, if there is one.
        keep_spare: keep the file in force as the spare one, for `take_spare`.
        mode: of the new file if there is none yet; None: as the umask has it. One that is there
            hands down mode and group, but nobody's leave for everyone to write.

    Raises:
        BundleUnreadable: another process replaces it just now.
        OSError: the file can't be written.
    """
    new = path.with_name(f"{path.name}.new")
    with _only_one_for(path):
        try:
            _make_empty(new, 0o600 if path.exists() or mode is not None else 0o644)
            yield new
            _take_access(new, path, mode)
            _sync(new, os.O_RDWR)
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
    """Make the spare file the new one, unless there is none or somebody still has it.

    Readers hold a shared lock (flock) on what they read. A file with another name is somebody's
    too: an archive of old revisions would change under its name.

    Args:
        path: of the file in force.
        new: what `replacement_of` gave.

    Raises:
        OSError: files can't be read or renamed.
    """
    spare = spare_of(path)
    try:
        # A symbolic link stands for a file that has another name; so does a second hard link,
        # which a crash between linking and renaming leaves as well.
        status = spare.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
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
        _make_empty(new, 0o600)
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


def _make_empty(new: Path, mode: int) -> None:
    """Make an empty file in the place of what a killed process left, if anything."""
    new.unlink(missing_ok=True)
    # Nobody may open it early who may not read what it replaces.
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))


def _take_access(new: Path, path: Path, mode: int | None) -> None:
    """Let those read the new file who may read the one that it replaces."""
    try:
        former = path.stat()
    except FileNotFoundError:
        if mode is not None:
            new.chmod(mode)
        return
    # Before the mode: a group that we are not in can't be given, and may then not read it.
    if new.stat().st_gid != former.st_gid:
        with suppress(PermissionError):
            os.chown(new, -1, former.st_gid)
    new.chmod(stat.S_IMODE(former.st_mode) & ~_WORLD_WRITABLE)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

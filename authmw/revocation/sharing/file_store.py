"""The shared store of one host: files in a directory that only our user can write to."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from authmw.errors import CacheError
from authmw.revocation.sharing.store import MAX_RECORD_BYTES

_SAFE_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # O_NONBLOCK: a FIFO would wait


class FileStore:
    """Keeps the record in a file of mode 0600, replaced by rename.

    The directory is made (mode 0700) where it is missing. It is refused where it belongs to another
    user, is a symbolic link, or others can write to it or replace it; a file in it is refused where
    others have access to it. Anyone who could write there could make revoked tokens valid again.

    Args:
        directory: on a local file system.
        name: prefix of the files, one for each group of processes that share. Letters, digits,
            `-` and `_`.
    """

    def __init__(self, directory: Path, name: str) -> None:
        if not name or not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"{name!r} can't be part of a file's name")
        self._directory = directory
        self._name = name

    def read(self) -> bytes | None:
        """See `SharedStore`."""
        with self._path("record") as path:
            try:
                descriptor = os.open(path, os.O_RDONLY | _SAFE_OPEN)
            except FileNotFoundError:
                return None
            with open(descriptor, "rb") as file:
                _verify_file(descriptor, path)
                return file.read(MAX_RECORD_BYTES)

    def write(self, record: bytes) -> None:
        """See `SharedStore`."""
        with self._path("record") as path:
            # mkstemp makes it with mode 0600. No fsync: after a crash of the host the record may
            # be older or missing, and readers accept both.
            descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=self._directory)
            try:
                with open(descriptor, "wb") as file:
                    file.write(record)
                os.replace(temporary, path)
                for lease in self._directory.glob(f"{self._name}.lease-*"):
                    lease.unlink(missing_ok=True)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise

    def try_lease(self, edition: str, seconds: float, now: float) -> bool:
        """See `SharedStore`."""
        with self._path(f"lease-{edition}") as path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE_OPEN
            try:
                os.close(os.open(path, flags, 0o600))
            except FileExistsError:
                # The file's time is when the lease was taken. A time far ahead is that of a
                # clock that was set back since.
                if abs(now - os.lstat(path).st_mtime) < seconds:
                    return False
            os.utime(path, (now, now), follow_symlinks=False)
            return True

    @contextlib.contextmanager
    def _path(self, name: str) -> Iterator[Path]:
        """Verify the directory and yield the path of a file in it; raises CacheError."""
        path = self._directory / f"{self._name}.{name}"
        try:
            _verify_not_replaceable(self._directory)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._directory, 0o700)
            found = os.lstat(self._directory)
            if not stat.S_ISDIR(found.st_mode):
                raise CacheError(f"{self._directory} is not a directory")
            if found.st_uid != os.geteuid() or found.st_mode & 0o022:
                raise CacheError(f"{self._directory} is not ours, or others can write to it")
            yield path
        except OSError as error:
            raise CacheError(f"{path}: {error.strerror or error}") from error


def _verify_not_replaceable(directory: Path) -> None:
    """Raise CacheError if another user could replace the directory or one above it."""
    above = directory.parent.resolve(strict=True)
    for parent in (above, *above.parents):
        found = os.stat(parent)
        # In a sticky directory only root and the owners of the directory and of the entry
        # replace an entry (unlink(2)); on this path, these are root and our own user.
        is_shared = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
        if is_shared or found.st_uid not in (0, os.geteuid()):
            raise CacheError(
                f"{parent}: other users could replace what is in it; protect it, or set TMPDIR to "
                "a directory of this user's own"
            )


def _verify_file(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise CacheError(f"{path} is not a regular file")
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise CacheError(f"{path} is not ours, or others have access to it")

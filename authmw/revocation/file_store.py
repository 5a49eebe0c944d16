"""A shared store of one host: files in a directory that only our user can write to."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from authmw.errors import CacheError
from authmw.revocation.store import MAX_RECORD_BYTES

_SAFE_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # O_NONBLOCK: a FIFO would wait


class FileStore:
    """Keeps the record in a file of mode 0600, replaced by rename.

    The directory is made (mode 0700) if there is none. One that belongs to another user, is a
    symbolic link, or that others can write to is refused, as is any file in it that is not
    ours alone: whoever could write there could make revoked tokens good again.

    Args:
        directory: on a local file system.
        name: tells apart what shares the directory: one for each identity endpoint. Letters,
            digits, `-` and `_`.
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
            # Of mode 0600 from the start. No fsync: after a crash of the host the record is
            # an older one or none, and readers take both.
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
                # Its time is when it was taken; one far ahead was written by another clock.
                if abs(now - os.lstat(path).st_mtime) < seconds:
                    return False
            os.utime(path, (now, now), follow_symlinks=False)
            return True

    @contextlib.contextmanager
    def _path(self, name: str) -> Iterator[Path]:
        """Yield the path of a file in the directory, which is verified; raises CacheError."""
        path = self._directory / f"{self._name}.{name}"
        try:
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


def _verify_file(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise CacheError(f"{path} is not a regular file")
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise CacheError(f"{path} is not ours, or others have access to it")

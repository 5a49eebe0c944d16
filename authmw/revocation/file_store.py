"""A shared store of one host: files in a directory that only our user can write to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from authmw.errors import CacheError
from authmw.revocation.store import MAX_RECORD_BYTES


class FileStore:
    """Keeps the record in a file of mode 0600, replaced by rename.

    The directory is made (mode 0700) if there is none. One that belongs to somebody else, is
    a symbolic link, or that others can write to is refused, as is any file in it that is not
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
        path = self._path("record")
        with _os_errors(path):
            self._verify_directory()
            try:
                descriptor = os.open(path, os.O_RDONLY | _SAFE_OPEN)
            except FileNotFoundError:
                return None
            with open(descriptor, "rb") as file:
                _verify_file(descriptor, path)
                return file.read(MAX_RECORD_BYTES)

    def write(self, record: bytes) -> None:
        """See `SharedStore`."""
        path = self._path("record")
        with _os_errors(path):
            self._verify_directory()
            # Of mode 0600 from the start. No fsync: after a crash of the host the record is
            # an older one or none, and readers take both.
            descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=self._directory)
            try:
                with open(descriptor, "wb") as file:
                    file.write(record)
                os.replace(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise

    def try_lease(self, owner: str, seconds: float, now: float) -> bool:
        """See `SharedStore`."""
        with self._lease_file() as file:
            if file is None:
                return False
            holder, until = _parse_lease(file.read(1000))
            # A lease that ends later than any could was written by another clock.
            if holder not in ("", owner) and 0 < until - now <= seconds:
                return False
            file.seek(0)
            file.truncate()
            file.write(f"{now + seconds!r} {owner}".encode())
            return True

    def end_lease(self, owner: str) -> None:
        """See `SharedStore`."""
        with self._lease_file() as file:
            if file is not None and _parse_lease(file.read(1000))[0] == owner:
                file.truncate(0)

    @contextlib.contextmanager
    def _lease_file(self) -> Iterator[FileIO | None]:
        """Open it for us alone; None while another process looks at it."""
        path = self._path("lease")
        with _os_errors(path):
            self._verify_directory()
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _SAFE_OPEN, 0o600)
            with open(descriptor, "r+b", buffering=0) as file:
                _verify_file(descriptor, path)
                # Only for the moment of looking and writing; the kernel takes it from the dead.
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield None
                else:
                    try:
                        yield file
                    finally:
                        # Closing is not enough: a child forked just now has it open, too.
                        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _path(self, name: str) -> Path:
        return self._directory / f"{self._name}.{name}"

    def _verify_directory(self) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._directory, 0o700)
        found = os.lstat(self._directory)
        if not stat.S_ISDIR(found.st_mode):
            raise CacheError(f"{self._directory} is not a directory")
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise CacheError(f"{self._directory} is not ours, or others can write to it")


_SAFE_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # O_NONBLOCK: a FIFO would wait


@contextlib.contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(f"{path}: {error.strerror or error}") from error


def _verify_file(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise CacheError(f"{path} is not a regular file")
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise CacheError(f"{path} is not ours, or others have access to it")


def _parse_lease(content: bytes) -> tuple[str, float]:
    """Return holder and end; nobody's where a writer died half-way."""
    until, _, holder = content.decode("utf-8", "replace").partition(" ")
    try:
        return holder, float(until)
    except ValueError:
        return "", 0.0

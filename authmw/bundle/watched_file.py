"""A file that others replace: whether it has to be read, and why it could not be."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from authmw.bundle.write_access import judge_file
from authmw.errors import BundleUnreadable

# Between two tries to read a file that can't be read though it is as it was.
_RETRY_SECONDS = 5.0
_NOT_READ = "it was not read yet"

T = TypeVar("T")


class WatchedFile:
    """One file, as one process has seen it.

    Args:
        path: of the file.

    Attributes:
        failure: why it could not be used when it was read last; None: it could.
        is_missing: whether there was no such file then.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.failure: str | None = _NOT_READ
        self.is_missing = False
        self._seen: object = None
        self._retry_at = 0.0
        self._warnings: list[str] = []

    @property
    def is_unusable(self) -> bool | None:
        """Whether it could not be used when it was read last; None: it was not read yet."""
        return None if self._seen is None else self.failure is not None

    def is_due(self, now: float) -> bool:
        """Look at the file: whether it is another than the one read, or is to be tried again."""
        seen = self._look()
        if seen == self._seen and (self.failure is None or now < self._retry_at):
            return False
        self._seen = seen
        self._retry_at = now + _RETRY_SECONDS
        return True

    def _look(self) -> object:
        """Return what differs once the file is replaced, written to, or given to others."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            return error.errno
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def read(self, read: Callable[[str], T]) -> tuple[T, list[str]] | None:
        """Judge who can write to the file, and read it.

        Args:
            read: given the path, reads it; may raise BundleUnreadable and OSError.

        Returns:
            what was read, and warnings about who can write that were not returned the last time: a
            hot file is read again every few seconds. None: `failure` says why not.
        """
        self.is_missing = False
        try:
            warnings = judge_file(self.path)
            found = read(self.path)
        except FileNotFoundError as error:
            self.is_missing = True
            self.failure = error.strerror
        except OSError as error:
            self.failure = error.strerror or str(error)
        except BundleUnreadable as error:
            self.failure = str(error)
        else:
            self.failure = None
            known, self._warnings = self._warnings, warnings
            return found, [each for each in warnings if each not in known]
        return None

"""Where a repository is written to: a directory that some web server serves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from authmw.bundle.centre.durable import sync


class Store(Protocol):
    """A place for the files of a repository. Every method raises OSError if it can't.

    Paths are relative, with slashes. A file is there as a whole, or not at all.
    """

    def put(self, path: str, file: Path, *, immutable: bool) -> None:
        """Write a file.

        Args:
            path: where to.
            file: what; it is not changed afterwards.
            immutable: nothing else will ever be at this path.
        """

    def copy(self, source: str, path: str) -> None:
        """Write what is at another path already, without sending it again."""

    def flush(self) -> None:
        """Return when all that was put is on disk."""

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files; what is not there is no error."""


class DirectoryStore:
    """A directory; see `Store`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._touched: set[Path] = set()

    def put(self, path: str, file: Path, *, immutable: bool) -> None:  # noqa: ARG002
        target, new = self._prepare(path)
        try:
            os.link(file, new)
        except OSError:
            # Another file system, or one without links.
            shutil.copyfile(file, new)
            sync(new)
        self._place(new, target)

    def copy(self, source: str, path: str) -> None:
        self.put(path, self._directory / source, immutable=True)

    def flush(self) -> None:
        for directory in self._touched:
            sync(directory)
        self._touched.clear()

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            (self._directory / path).unlink(missing_ok=True)
            # Only one that is empty.
            with suppress(OSError):
                (self._directory / path).parent.rmdir()

    def _prepare(self, path: str) -> tuple[Path, Path]:
        target = self._directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.new")
        new.unlink(missing_ok=True)
        return target, new

    def _place(self, new: Path, target: Path) -> None:
        os.replace(new, target)
        # Two names of one file are left as they are by rename(2).
        new.unlink(missing_ok=True)
        self._touched.add(target.parent)

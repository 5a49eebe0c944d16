"""Opens a bundle for reading, and verifies one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from authmw.bundle.file.header import Header
from authmw.bundle.sqlite_reader import SqliteFacts


class Bundle:
    """One revision, open for reading. It belongs to the process and thread that opened it.

    Attributes:
        path: of the file.
        header: what it says of itself.
        facts: a `FactsReader` of it.
    """

    path: Path
    header: Header
    facts: SqliteFacts

    def is_replaced(self) -> bool:
        """Tell whether another file lies at `path` now, or none; one `stat`."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file; `facts` can't be used any more."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_bundle(path: Path) -> Bundle:
    """Open a bundle for reading, in milliseconds: header, tables and size are checked, rows not.

    Raises:
        BundleUnreadable: there is none, it is cut, of another format, or has other tables than
            ours.
    """
    raise NotImplementedError


def verify_bundle(path: Path, on_rows: Callable[[int], None] | None = None) -> Header:
    """Read a whole bundle: its pages, each row's form, and the digest.

    Args:
        path: of the file.
        on_rows: called now and then with how many rows were read.

    Returns:
        its header.

    Raises:
        BundleUnreadable: anything is not as it should be; says what.
    """
    raise NotImplementedError

"""The SQLite file of a bundle: its schema, and what is verified before SQLite reads it."""

from __future__ import annotations

import fcntl
import functools
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authmw.bundle.facts import TABLES
from authmw.bundle.file.header import CREATE_HEADER, FORMAT_VERSION
from authmw.errors import BundleUnreadable

# "auth" in ASCII; `file` and others tell a bundle by it.
APPLICATION_ID: Final = 0x61757468
PAGE_SIZE: Final = 4096

_SCHEMA: Final = {
    "bundle": CREATE_HEADER,
    **{table.name: table.create_statement for table in TABLES},
}
_MAGIC: Final = b"SQLite format 3\0"
_HEADER_LENGTH: Final = 100
# A file may be replaced while it is opened; not as often as this.
_MOST_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.005

Identity = tuple[int, int, int, int]


def identity_of(status: os.stat_result) -> Identity:
    """Return what tells one file from another that has its name."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def create_database(path: Path) -> sqlite3.Connection:
    """Make an empty file with our tables, for one writer, without a journal.

    Raises:
        sqlite3.Error: it can't be written.
    """
    connection = open_for_writing(path)
    with _closed_on_failure(connection):
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        for statement in _SCHEMA.values():
            connection.execute(statement)
    return connection


@contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open a file that nobody else reads or writes.

    It has no journal, and nothing is synced: its writer syncs it once, and throws it away on any
    failure.

    Raises:
        sqlite3.Error: it can't be opened.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    with _closed_on_failure(connection):
        _restrict(connection)
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA cache_size = -65536")
    return connection


def _restrict(connection: sqlite3.Connection) -> None:
    """Have SQLite trust nothing that the file says."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    # Longer than any value of ours; what is longer is an error instead of memory.
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 24)


# The descriptors in `OpenFile` of this process.
_descriptors: set[int] = set()


@functools.cache
def _release_after_fork() -> None:
    """Have each child close its copies of the descriptors: their locks would outlive the parent's.

    The child never reads these files; it opens its own.
    """
    os.register_at_fork(after_in_child=_close_all)


def _close_all() -> None:
    while _descriptors:
        os.close(_descriptors.pop())


@dataclass(slots=True)
class OpenFile:
    """A file that is open for reading, and stays as it is for as long.

    Attributes:
        connection: to it.
        identity: of it.
        lock: a descriptor whose shared lock keeps writers from using the file again.
        is_locked: whether it has that lock; see `try_lock`.
        process: the one that opened it.
    """

    connection: sqlite3.Connection
    identity: Identity
    lock: int
    is_locked: bool
    process: int

    def try_lock(self) -> None:
        """Take the lock if somebody else had the file locked when it was opened.

        Whoever may read a file can lock it (flock), and must not keep others from reading. A
        writer changes it no earlier than after two more revisions.
        """
        if not self.is_locked:
            self.is_locked = _lock_shared(self.lock)

    def is_changed_in_place(self) -> bool:
        """Tell whether the open file itself was written to since; one `fstat`."""
        return identity_of(os.fstat(self.lock)) != self.identity

    def close(self) -> None:
        self.connection.close()
        # The number of a descriptor that was closed after a fork may be another file's.
        if self.process == os.getpid():
            _close(self.lock)


def _lock_shared(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_for_reading(path: Path, cache_kib: int) -> OpenFile:
    """Open a file that is not changed while it is read, and verify size, format and schema.

    It is read as immutable: without journal and other files. It is not mapped into memory: whoever
    cuts a mapped file ends every process that reads it (SIGBUS).

    Args:
        path: of the file.
        cache_kib: KiB of pages that the process keeps.

    Raises:
        BundleUnreadable: there is no such file, or it is none of ours; says why.
    """
    try:
        for _ in range(_MOST_TRIES):
            opened = _open_one(path, cache_kib)
            if opened is not None:
                return opened
            time.sleep(_PAUSE_SECONDS)
    except BundleUnreadable as error:
        raise BundleUnreadable(f"{path} is not usable as a bundle: {error}") from error
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        raise BundleUnreadable(f"{path} can't be read as a bundle: {error}") from error
    raise BundleUnreadable(f"{path} can't be read as a bundle: it is replaced again and again")


def _open_one(path: Path, cache_kib: int) -> OpenFile | None:
    """Open the file; None if it was replaced meanwhile."""
    # Not blocking: a FIFO would have no end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    _release_after_fork()
    _descriptors.add(descriptor)
    try:
        status = os.fstat(descriptor)
        _verify_file(status, descriptor)
        # A writer locks none that has the name. If another reader has, it is read all the same.
        is_locked = _lock_shared(descriptor)
        connection = _connect(path)
        with _closed_on_failure(connection):
            # SQLite opens a path, not a descriptor: it must still be the file that was verified.
            if identity_of(os.stat(path)) == identity_of(status):
                _prepare(connection, cache_kib)
                identity = identity_of(status)
                return OpenFile(connection, identity, descriptor, is_locked, os.getpid())
        connection.close()
    except BaseException:
        _close(descriptor)
        raise
    _close(descriptor)
    return None


def _close(descriptor: int) -> None:
    _descriptors.discard(descriptor)
    os.close(descriptor)


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, cache_kib: int) -> None:
    _restrict(connection)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA temp_store = MEMORY")
    # One transaction for as long as the file is open: each look-up begins none.
    connection.execute("BEGIN")
    verify_schema(connection)


def _verify_file(status: os.stat_result, descriptor: int) -> None:
    """Verify what the first bytes of a file say (SQLite's Database File Format, 1.3)."""
    if not stat.S_ISREG(status.st_mode):
        raise BundleUnreadable("it is no regular file")
    head = os.pread(descriptor, _HEADER_LENGTH, 0)
    if len(head) < _HEADER_LENGTH or not head.startswith(_MAGIC):
        raise BundleUnreadable("it is no SQLite file")
    if _number(head, 68, 4) != APPLICATION_ID:
        raise BundleUnreadable("it is an SQLite file, but of another application")
    version = _number(head, 60, 4)
    if version != FORMAT_VERSION:
        advice = "update authmw" if version > FORMAT_VERSION else "export it anew"
        raise BundleUnreadable(
            f"it has format {version}, and this authmw reads format {FORMAT_VERSION}: {advice}"
        )
    # Page size, no write-ahead log, no space reserved, UTF-8.
    if (_number(head, 16, 2), head[18:21], _number(head, 56, 4)) != (PAGE_SIZE, b"\1\1\0", 1):
        raise BundleUnreadable("its page size, journal mode or text encoding is not ours")
    pages = _number(head, 28, 4)
    if pages * PAGE_SIZE != status.st_size:
        raise BundleUnreadable(
            f"it has {status.st_size} bytes where it should have {pages * PAGE_SIZE}: it was cut, "
            "or not written to its end"
        )


def _number(head: bytes, offset: int, length: int) -> int:
    return int.from_bytes(head[offset : offset + length], "big")


def verify_schema(connection: sqlite3.Connection) -> None:
    """Verify that a file has our tables and nothing else: no views, no triggers, no indexes.

    Raises:
        BundleUnreadable: it has others.
        sqlite3.Error: it can't be read.
    """
    limit = len(_SCHEMA) + 1
    statement = f"SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT {limit}"  # noqa: S608
    found = connection.execute(statement).fetchall()
    if set(found) != {("table", name, name, sql) for name, sql in _SCHEMA.items()}:
        raise BundleUnreadable("its tables are not ours")

"""Reads Keystone's database in a process of its own, ahead of the one that writes the bundle.

Reading and packing take a third of an export, and one process uses one core.
"""

from __future__ import annotations

import contextlib
import dataclasses
import marshal
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

from authmw.bundle.export.messages import read_message, write_message
from authmw.bundle.export.source import FactsSource
from authmw.bundle.facts import Table
from authmw.bundle.keystone_configuration import Configuration
from authmw.bundle.packing import Row
from authmw.errors import BundleUnreadable

# The child gets our module path, which may have been changed since Python's start.
_PROGRAM = (
    "import marshal, sys\n"
    "sys.path[:] = marshal.load(sys.stdin.buffer)\n"
    "from authmw.bundle.export.reader import main\n"
    "main()\n"
)
# For the child to end its transaction.
_END_SECONDS = 5


class DatabaseSnapshot(FactsSource, Protocol):
    """One state of Keystone's database, read here or in another process.

    Attributes:
        kind: the name of the database system.
        release: the release of Keystone that has its schema.
    """

    @property
    def kind(self) -> str: ...

    @property
    def release(self) -> str: ...

    def count_rows(self) -> int:
        """Return about how many rows the large tables have, for a progress bar."""


@contextmanager
def open_snapshot(
    url: str, configuration: Configuration, *, read_ahead: bool = True
) -> Iterator[DatabaseSnapshot]:
    """Open one state of Keystone's database; it ends with the context.

    Args:
        url: SQLAlchemy's, as in Keystone's `[database] connection`; it may hold a password.
        configuration: what Keystone's configuration file says.
        read_ahead: read in a process of its own, if there is more than one core. Its start takes
            some tenths of a second.

    Raises:
        BundleUnreadable: the URL is none, its driver is not installed, the database can't be read
            or has a schema that is not known.
    """
    if read_ahead and sys.executable and len(os.sched_getaffinity(0)) > 1:
        with _start_reader() as process:
            yield _RemoteSnapshot(process, url, configuration)
        return
    from authmw.bundle.keystone_sql import KeystoneDatabase

    with KeystoneDatabase(url, configuration).snapshot() as snapshot:
        yield snapshot


@contextmanager
def _start_reader() -> Iterator[subprocess.Popen[bytes]]:
    """Start the child process; it has ended when the context has.

    The end of its pipes ends it too, such as when this process is killed.
    """
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *(["-I"] if sys.flags.isolated else []), "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for this process alone, which then ends the child.
            start_new_session=True,
        )
    except OSError as error:
        raise BundleUnreadable(f"no process can be started to read with: {error}") from error
    try:
        yield process
        _send(process, None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
    finally:
        process.kill()
        process.wait()
        for pipe in _pipes(process):
            # What was not sent can't be any more.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class _RemoteSnapshot:
    """One state of a database, which a child process reads; a `DatabaseSnapshot`.

    The child reads at most one portion of rows ahead, of the table that was asked for.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], url: str, configuration: Configuration
    ) -> None:
        self._process = process
        self._is_reading = False
        requests, _ = _pipes(process)
        with contextlib.suppress(BrokenPipeError):
            marshal.dump(sys.path, requests)
        _send(process, (url, dataclasses.asdict(configuration)))
        opened: tuple[str, str, int, int] = self._receive()
        self.kind, self.release, self.read_at, self._row_count = opened

    def count_rows(self) -> int:
        """See `DatabaseSnapshot`."""
        return self._row_count

    def rows(self, table: Table) -> Iterator[Row]:
        """See `FactsSource`."""
        if self._is_reading:
            raise RuntimeError("all rows of a table must be read before those of another")
        self._is_reading = True
        _send(self._process, table.name)
        while (rows := self._receive()) is not None:
            yield from rows
        self._is_reading = False

    def _receive(self) -> Any:
        _, answers = _pipes(self._process)
        try:
            answer = read_message(answers)
        except EOFError:
            status = self._process.wait()
            how = signal.strsignal(-status) if status < 0 else f"status {status}"
            raise BundleUnreadable(
                f"the database can't be read: the process that reads it has ended ({how})"
            ) from None
        if isinstance(answer, str):
            raise BundleUnreadable(answer)
        return answer


def _send(process: subprocess.Popen[bytes], request: Any) -> None:
    requests, _ = _pipes(process)
    # A child that has ended gave its reason, or none: `_receive` finds out.
    with contextlib.suppress(BrokenPipeError):
        write_message(requests, request)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
    return process.stdin, process.stdout

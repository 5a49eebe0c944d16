"""The child process of an export: reads Keystone's database, and sends the rows to its parent.

Standard input has what to read: first the URL of the database and Keystone's configuration, then
the name of a table after the other, and None at the end. Standard output has the answers: first
what was opened, then for each table lists of rows, and None after the last. A text in place of an
answer is the reason why nothing follows.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from typing import IO, NoReturn

from authmw.bundle.export.messages import read_message, write_message
from authmw.bundle.facts import TABLES_BY_NAME
from authmw.bundle.keystone_configuration import Configuration
from authmw.bundle.keystone_sql import KeystoneDatabase
from authmw.bundle.rare_collections import rare_collections
from authmw.errors import BundleUnreadable


def main() -> NoReturn:
    """Answer what the parent asks, and end; also when the parent ends."""
    status = 1
    try:
        _serve(sys.stdin.buffer, _take_output())
        status = 0
    except BaseException:  # noqa: BLE001  # Python would print it, were this not the end.
        traceback.print_exc()
    finally:
        # Without waiting for the thread, which waits for the parent.
        os._exit(status)


def _take_output() -> IO[bytes]:
    """Return standard output; what a driver prints goes to standard error from now on."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return output


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    url, configuration = read_message(requests)
    names = _read_ahead(requests)
    try:
        with (
            rare_collections(),
            KeystoneDatabase(url, Configuration(**configuration)).snapshot() as snapshot,
        ):
            opened = (snapshot.kind, snapshot.release, snapshot.read_at, snapshot.count_rows())
            write_message(answers, opened)
            while (name := names.get()) is not None:
                for rows in snapshot.portions(TABLES_BY_NAME[name]):
                    write_message(answers, rows)
                write_message(answers, None)
    except BundleUnreadable as error:
        write_message(answers, str(error))


def _read_ahead(requests: IO[bytes]) -> queue.SimpleQueue[str | None]:
    """Return the requests as they come. The process ends at once when the parent has ended.

    The parent may be killed while the database takes minutes for its first row.
    """
    names: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                names.put(read_message(requests))
        except EOFError:
            os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return names

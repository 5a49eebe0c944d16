"""The shared store as `sharing` sees it: records or nothing, and faults in the log."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from authmw.errors import CacheError
from authmw.process import PerProcess
from authmw.revocation.bulletin import Bulletin, MalformedRecord, Notice
from authmw.revocation.store import SharedStore

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Board:
    """Where processes leave each other word. A fault costs polls, never an answer.

    Args:
        store: what holds the records.
        lease_seconds: how long a process that polls keeps the others from it at most.
    """

    def __init__(self, store: SharedStore, *, lease_seconds: float) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        # Unique for each process: a fork must not inherit its parent's lease.
        self._owner = PerProcess(lambda: f"{os.getpid()}-{secrets.token_hex(8)}")
        self._failing: set[str] = set()

    def read_notice(self) -> Notice | None:
        """Return how far all processes have come, if anyone said."""
        return self._read("notice", Notice.parse)

    def read_recent(self) -> Bulletin | None:
        """Return the bulletin in force."""
        return self._read("recent", Bulletin.parse)

    def read_full(self) -> Bulletin | None:
        """Return the bulletin with everything that is older."""
        return self._read("full", Bulletin.parse)

    def post_notice(self, notice: Notice) -> None:
        """Say how far we have come. Post what it speaks of first."""
        self._write("notice", notice.render())

    def post_recent(self, bulletin: Bulletin) -> None:
        """Replace the bulletin in force."""
        self._write("recent", bulletin.render())

    def post_full(self, bulletin: Bulletin) -> None:
        """Replace the bulletin with everything."""
        self._write("full", bulletin.render())

    def ask_for_all(self) -> None:
        """Have whoever polls next publish everything anew: something is not there any more."""
        notice = self.read_notice()
        if notice is not None:
            self.post_notice(replace(notice, edition="", covers_to=None))

    def try_lease(self, now: float) -> bool:
        """Whether it is for us to poll. Without a working store it is."""
        try:
            is_ours = self._store.try_lease(self._owner.get(), self._lease_seconds, now)
        except CacheError as fault:
            self._report("lease", fault)
            return True
        self._failing.discard("lease")
        return is_ours

    def end_lease(self) -> None:
        """Let the others poll again as soon as a poll is due, if the lease is ours."""
        try:
            self._store.end_lease(self._owner.get())
        except CacheError as fault:
            self._report("lease", fault)

    def _read(self, name: str, parse: Callable[[bytes], T]) -> T | None:
        try:
            record = self._store.read(name)
            found = None if record is None else parse(record)
        except (CacheError, MalformedRecord) as fault:
            self._report(f"reading {name}", fault)
            return None
        self._failing.discard(f"reading {name}")
        return found

    def _write(self, name: str, record: bytes) -> None:
        try:
            self._store.write(name, record)
        except CacheError as fault:
            self._report(f"writing {name}", fault)
        else:
            self._failing.discard(f"writing {name}")

    def _report(self, what: str, fault: Exception) -> None:
        """Say it once, until all works again."""
        if not self._failing:
            _log.warning(
                "revocation events are not shared between processes (%s: %s): "
                "each asks the identity service by itself",
                what,
                fault,
            )
        self._failing.add(what)

"""The revision of a bundle that is in force: looks for a new one, and keeps the last good one."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from authmw.bundle.revision import Revision
from authmw.bundle.write_access import judge_file
from authmw.errors import BundleUnreadable, IdentityUnavailable
from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Between two looks at the file: a change is in force within a second."""
# Between two tries to read a file that can't be read though it is as it was.
_RETRY_SECONDS = 5.0
_NOT_READ = "it was not read yet"


@dataclass(slots=True)
class _State:
    """Of one process.

    Attributes:
        revision: in force; None: none was read yet.
        seen: what a look at the file saw when it was read last.
        failure: why it could not be used then; None: it could.
        retry_at, reload_at: epoch seconds.
        warned: how old the revision was when that was logged last: 0 fresh, 1 old, 2 too old.
    """

    revision: Revision | None = None
    seen: object = None
    failure: str | None = _NOT_READ
    retry_at: float = 0.0
    reload_at: float = float("-inf")
    warned: int = 0


class BundleInForce:
    """Has the newest revision at a path that can be used; a `Refreshable`.

    A request never opens or looks at the file: `reload` does. While the file is missing, damaged or
    anyone's to write, the last good revision stays in force. Each process opens the file itself.

    Args:
        path: of the file (`bundle_path`).
        max_age_seconds: how old the facts may be (`bundle_max_age`).
        warn_age_seconds: from which age on it is warned about (`bundle_warn_age`).
        max_events: most revocation events to keep (`revocation_max_events`).
    """

    def __init__(
        self, path: str, *, max_age_seconds: int, warn_age_seconds: int, max_events: int
    ) -> None:
        self._path = path
        self._max_age_seconds = max_age_seconds
        self._warn_age_seconds = warn_age_seconds
        self._max_events = max_events
        self._states = PerProcess(_State)
        self._listeners: tuple[Callable[[], None], ...] = ()
        # A forked process must neither use nor close what its parent opened.
        self._opened: list[Revision] = []

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of the revision, in the thread that read it."""
        self._listeners += (listener,)

    @property
    def revision(self) -> Revision | None:
        """The revision in force, however old; None: none was read in this process."""
        return self._states.get().revision

    @property
    def name(self) -> str | None:
        """Of the revision in force; see `Revision`."""
        revision = self.revision
        return None if revision is None else revision.name

    def current(self, now: float) -> Revision:
        """Return the revision in force.

        Raises:
            IdentityUnavailable: there is none, or it is older than `bundle_max_age`.
        """
        state = self._states.get()
        revision = state.revision
        if revision is None:
            raise IdentityUnavailable(f"bundle_path = {self._path}: {state.failure}")
        if self._is_too_old(revision, now):
            raise IdentityUnavailable(
                f"bundle_path = {self._path}: {self._describe_age(revision)}, more than "
                f"bundle_max_age = {self._max_age_seconds} seconds from now"
            )
        return revision

    def usable_until(self, revision: Revision) -> int:
        """Return up to when a revision may be used, epoch seconds."""
        return revision.read_at + self._max_age_seconds

    def _is_too_old(self, revision: Revision, now: float) -> bool:
        # abs(): after the clock was set back its age is unknown.
        return abs(now - revision.read_at) > self._max_age_seconds

    # For the refresher

    @property
    def reload_at(self) -> float:
        """See `authmw.runtime.refresh.Refreshable`."""
        return self._states.get().reload_at

    def reload(self, now: float) -> None:
        """Look at the file, and read it if it is another; never raises for what is there."""
        state = self._states.get()
        state.reload_at = now + LOOK_SECONDS
        seen = self._look()
        if seen != state.seen or (state.failure is not None and now >= state.retry_at):
            state.seen = seen
            state.retry_at = now + _RETRY_SECONDS
            self._read(state)
        if state.revision is not None:
            self._log_age(state, state.revision, now)

    def _look(self) -> object:
        """Return what differs once the file is replaced, written to, or given to others."""
        try:
            found = os.stat(self._path)
        except OSError as error:
            return error.errno
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _read(self, state: _State) -> None:
        try:
            warnings = judge_file(self._path)
            revision = Revision(self._path, self._max_events)
        except (BundleUnreadable, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            self._keep_last_good(state, reason or str(error))
            return
        for warning in warnings:
            _log.warning("%s: %s", self._path, warning)
        self._put_in_force(state, revision)

    def _keep_last_good(self, state: _State, failure: str) -> None:
        if state.failure != failure:
            before = state.revision
            _log.error(
                "bundle_path = %s can't be used: %s; %s",
                self._path,
                failure,
                "no revision was read before, so what only the bundle could say is a 503"
                if before is None
                else f"revision {before.name} stays in force",
            )
        state.failure = failure

    def _put_in_force(self, state: _State, revision: Revision) -> None:
        before = state.revision
        self._opened.append(revision)
        state.revision, state.failure, state.warned = revision, None, 0
        if before is None or before.name != revision.name:
            for listener in self._listeners:
                listener()
            _log.info(
                "%s: revision %s is in force; %s",
                self._path,
                revision.name,
                self._describe_age(revision),
            )
            if before is not None and revision.number < before.number:
                _log.warning(
                    "%s: revision %s is older than revision %s, which it has replaced",
                    self._path,
                    revision.name,
                    before.name,
                )
        if before is not None:
            before.close()
            self._opened.remove(before)

    def _log_age(self, state: _State, revision: Revision, now: float) -> None:
        """Log once that a revision is old, and once that it is too old."""
        age = abs(now - revision.read_at)
        level = (age > self._warn_age_seconds) + (age > self._max_age_seconds)
        if level > state.warned:
            is_too_old = level == 2
            _log.log(
                logging.ERROR if is_too_old else logging.WARNING,
                "%s: %s, more than %s = %d seconds from now%s",
                self._path,
                self._describe_age(revision),
                "bundle_max_age" if is_too_old else "bundle_warn_age",
                self._max_age_seconds if is_too_old else self._warn_age_seconds,
                "; what only the bundle could say is a 503" if is_too_old else "",
            )
        state.warned = level

    def _describe_age(self, revision: Revision) -> str:
        read_at = datetime.fromtimestamp(revision.read_at, UTC).isoformat(timespec="seconds")
        return f"the facts of revision {revision.name} are of {read_at}"

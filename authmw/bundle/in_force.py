"""What is in force of a bundle and its hot file: the newest of each that can be used."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from authmw.bundle.file import hot_path
from authmw.bundle.hot_events import HotEvents
from authmw.bundle.revision import Revision
from authmw.bundle.watched_file import WatchedFile
from authmw.errors import IdentityUnavailable
from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Between two looks at the files: a change is in force within a second."""


@dataclass(slots=True)
class _State:
    """Of one process.

    Attributes:
        warm, hot: the files, the bundle and the hot file.
        revision, events: in force; None: none was read yet.
        reload_at: epoch seconds.
        warned, warned_hot: how old each part was when that was logged last: 0 fresh, 1 old, 2 too
            old.
        changed: tells waiting threads after each change; see `wait_until`.
    """

    warm: WatchedFile
    hot: WatchedFile
    revision: Revision | None = None
    events: HotEvents | None = None
    reload_at: float = float("-inf")
    warned: int = 0
    warned_hot: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)


class BundleInForce:
    """Has the newest revision at a path that can be used; a `Refreshable`.

    A request never opens or looks at the files: `reload` does. While a file is missing, damaged or
    anyone's to write, what was read of it last stays in force. Each process opens them itself.

    Args:
        path: of the file (`bundle_path`); its hot file may lie beside it.
        max_age_seconds: how old the facts may be (`bundle_max_age`).
        warn_age_seconds: from which age on it is warned about (`bundle_warn_age`).
        max_events: most revocation events to keep of each file (`revocation_max_events`).
        max_staleness_seconds: how old the revocation events may be (`revocation_max_staleness`).
    """

    def __init__(
        self,
        path: str,
        *,
        max_age_seconds: int,
        warn_age_seconds: int,
        max_events: int,
        max_staleness_seconds: int,
    ) -> None:
        self._path = path
        self._hot_path = str(hot_path(Path(path)))
        self._max_age_seconds = max_age_seconds
        self._warn_age_seconds = warn_age_seconds
        self._max_events = max_events
        self._max_staleness_seconds = max_staleness_seconds
        self._states = PerProcess(
            lambda: _State(WatchedFile(self._path), WatchedFile(self._hot_path))
        )
        self._listeners: tuple[Callable[[], None], ...] = ()
        # A forked process must neither use nor close what its parent opened.
        self._opened: list[Revision] = []

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change that may change a verdict, in the thread that read it.

        That is another state digest, or new revocation events. A revision with the same facts as
        the one before changes none.
        """
        self._listeners += (listener,)

    @property
    def revision(self) -> Revision | None:
        """The revision in force, however old; None: none was read in this process."""
        return self._states.get().revision

    @property
    def hot_events(self) -> HotEvents | None:
        """The hot file in force, however old; None: none was read in this process."""
        return self._states.get().events

    def stands(self, name: str) -> bool:
        """Tell whether what the revision with a `name` decided still stands."""
        revision = self.revision
        return revision is not None and revision.has_facts_of(name)

    @property
    def is_unusable(self) -> bool | None:
        """Whether the file at `bundle_path` can't be used as it is; None: it was not read yet."""
        return self._states.get().warm.is_unusable

    @property
    def is_hot_unusable(self) -> bool | None:
        """Whether the hot file can't be used as it is; None: there never was one."""
        state = self._states.get()
        if state.events is None and state.hot.is_missing:
            return None
        return state.hot.is_unusable

    def current(self, now: float) -> Revision:
        """Return the revision in force.

        Raises:
            IdentityUnavailable: there is none, or it is older than `bundle_max_age`.
        """
        state = self._states.get()
        revision = state.revision
        if revision is None:
            raise IdentityUnavailable(f"bundle_path = {self._path}: {state.warm.failure}")
        if self._is_too_old(revision, now):
            raise IdentityUnavailable(
                f"bundle_path = {self._path}: {_describe_age(revision)}, more than "
                f"bundle_max_age = {self._max_age_seconds} seconds from now"
            )
        return revision

    def usable_until(self, revision: Revision) -> int:
        """Return up to when a revision may be used, epoch seconds."""
        return revision.as_of.read_at + self._max_age_seconds

    def _is_too_old(self, revision: Revision, now: float) -> bool:
        # abs(): after the clock was set back its age is unknown.
        return abs(now - revision.as_of.read_at) > self._max_age_seconds

    def wait_until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so of what is in force; asked again after each change.

        Returns:
            whether it is so; False: the time is over.
        """
        changed = self._states.get().changed
        with changed:
            return changed.wait_for(is_so, seconds)

    # For the refresher

    @property
    def reload_at(self) -> float:
        """See `authmw.runtime.refresh.Refreshable`."""
        return self._states.get().reload_at

    def reload(self, now: float) -> None:
        """Look at the files, and read what is new; never raises for what is there."""
        state = self._states.get()
        state.reload_at = now + LOOK_SECONDS
        # The hot file first: a new bundle is confirmed from the beginning.
        if state.hot.is_due(now):
            self._read_hot(state)
        if state.warm.is_due(now):
            self._read(state)
        if state.revision is not None:
            state.revision.try_lock()
            self._log_age(state, state.revision, now)
        if state.events is not None:
            self._log_hot_age(state, state.events, now)

    def _read(self, state: _State) -> None:
        failure = state.warm.failure
        read = state.warm.read(lambda path: Revision(path, self._max_events))
        if read is None:
            before = state.revision
            if state.warm.failure != failure:
                _log.error(
                    "bundle_path = %s can't be used: %s; %s",
                    self._path,
                    state.warm.failure,
                    "no revision was read before, so what only the bundle could say is a 503"
                    if before is None
                    else f"revision {before.name} stays in force",
                )
            return
        revision, warnings = read
        for warning in warnings:
            _log.warning("%s: %s", self._path, warning)
        self._put_in_force(state, revision)

    def _read_hot(self, state: _State) -> None:
        failure, before = state.hot.failure, state.events
        read = state.hot.read(lambda path: HotEvents(path, self._max_events, before))
        if read is None:
            if state.hot.failure != failure and not (state.hot.is_missing and before is None):
                _log.error(
                    "%s can't be used: %s; %s",
                    self._hot_path,
                    state.hot.failure,
                    "none was read before"
                    if before is None
                    else f"revision {before.number} of the revocation events stays in force",
                )
            return
        events, warnings = read
        for warning in warnings:
            _log.warning("%s: %s", self._hot_path, warning)
        if before is not None and events.number < before.number:
            _log.warning(
                "%s: revision %d of the revocation events is older than revision %d, which it "
                "has replaced",
                self._hot_path,
                events.number,
                before.number,
            )
        state.events, state.warned_hot = events, 0
        if state.revision is not None:
            state.revision.confirm(events.confirmation)
        self._tell(state, has_other_verdicts=events.brings_news)

    def _put_in_force(self, state: _State, revision: Revision) -> None:
        before = state.revision
        self._opened.append(revision)
        if before is not None:
            revision.take_over(before)
        if state.events is not None:
            revision.confirm(state.events.confirmation)
        state.revision, state.warned = revision, 0
        has_other_facts = before is None or before.digest != revision.digest
        self._tell(state, has_other_verdicts=has_other_facts)
        if before is None or before.name != revision.name:
            _log.info(
                "%s: revision %s is in force; %s%s",
                self._path,
                revision.name,
                _describe_age(revision),
                "" if has_other_facts else "; it has the facts of the one before",
            )
        if before is not None:
            if revision.own.number < before.own.number:
                _log.warning(
                    "%s: revision %s is older than revision %s, which it has replaced",
                    self._path,
                    revision.name,
                    before.name,
                )
            before.close()
            self._opened.remove(before)

    def _tell(self, state: _State, *, has_other_verdicts: bool) -> None:
        """Tell those who wait, and, if tokens may be judged otherwise, the listeners."""
        if has_other_verdicts:
            for listener in self._listeners:
                listener()
        with state.changed:
            state.changed.notify_all()

    def _log_age(self, state: _State, revision: Revision, now: float) -> None:
        """Log once that a revision is old, and once that it is too old."""
        age = abs(now - revision.as_of.read_at)
        level = (age > self._warn_age_seconds) + (age > self._max_age_seconds)
        if level > state.warned:
            is_too_old = level == 2
            _log.log(
                logging.ERROR if is_too_old else logging.WARNING,
                "%s: %s, more than %s = %d seconds from now%s",
                self._path,
                _describe_age(revision),
                "bundle_max_age" if is_too_old else "bundle_warn_age",
                self._max_age_seconds if is_too_old else self._warn_age_seconds,
                "; what only the bundle could say is a 503" if is_too_old else "",
            )
        state.warned = level

    def _log_hot_age(self, state: _State, events: HotEvents, now: float) -> None:
        """Log once that the events of the hot file are old, and once that they are too old."""
        age = abs(now - (events.polled_at or events.read_at))
        most = self._max_staleness_seconds
        level = 2 if age > most else int(age > min(self._warn_age_seconds, most))
        if level > state.warned_hot:
            is_too_old = level == 2
            _log.log(
                logging.ERROR if is_too_old else logging.WARNING,
                "%s: the revocation events of revision %d are of %s, more than %s = %d seconds "
                "from now%s",
                self._hot_path,
                events.number,
                _render(events.polled_at or events.read_at),
                "revocation_max_staleness" if is_too_old else "bundle_warn_age",
                most if is_too_old else self._warn_age_seconds,
                "; they are complete no more" if is_too_old else "",
            )
        state.warned_hot = level


def _describe_age(revision: Revision) -> str:
    return f"the facts of revision {revision.name} are of {_render(revision.as_of.read_at)}"


def _render(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

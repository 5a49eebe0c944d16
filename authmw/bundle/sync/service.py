"""The process that syncs: when it looks for news, and what it says of itself."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Final

from authmw.bundle.sync.configuration import SyncConfiguration
from authmw.bundle.sync.directory import SyncDirectory
from authmw.bundle.sync.errors import Kind, SyncFailed
from authmw.bundle.sync.fetcher import Fetcher
from authmw.bundle.sync.metrics_file import write_metrics
from authmw.bundle.sync.once import Sync
from authmw.bundle.sync.status import FilesState, SyncStatus, read_files, read_status, show_time
from authmw.runtime.clock import wall_clock

_log = logging.getLogger(__name__)

_SUCCESS: Final = "success"
# Between two lines that say the same.
_PAUSE_OF_LINES_SECONDS: Final = 600.0
_MOST_DOUBLINGS: Final = 20


class SyncService:
    """Syncs now and then, and at once when it is woken up.

    Args:
        configuration: of the site.
        directory: locked.
        fetcher: gets files.
        clock: epoch seconds.
    """

    def __init__(
        self,
        configuration: SyncConfiguration,
        directory: SyncDirectory,
        fetcher: Fetcher,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self._configuration = configuration
        self._directory = directory
        self._fetcher = fetcher
        self._clock = clock
        self._sync = Sync(configuration, directory, fetcher, clock)
        self._woken = threading.Event()
        self._is_stopped = False
        self._status = self._continue_status()
        self._bytes_before = self._status.received_bytes - fetcher.received_bytes
        self._logged: tuple[Kind, float, int] | None = None
        self._in_force: tuple[int | None, str | None] | None = None

    def _continue_status(self) -> SyncStatus:
        configuration = self._configuration
        known = read_status(self._directory.status)
        if known is None or known.site != configuration.site:
            known = SyncStatus(configuration.site, 0, 0, 0)
        known.pid = os.getpid()
        known.poll_seconds = configuration.poll_seconds
        known.stale_after_seconds = configuration.stale_after_seconds
        known.next_poll_at = None
        return known

    @property
    def status(self) -> SyncStatus:
        """What is known of this process; it goes on changing."""
        return self._status

    def wake(self) -> None:
        """Have the next sync begin soon; from any thread.

        That is at once, but for `least_pause_seconds`, which each failure in a row doubles.
        """
        self._woken.set()

    def stop(self) -> None:
        """Have `run` return after the sync that is under way, if any; from any thread."""
        self._is_stopped = True
        self._woken.set()

    def run(self) -> None:
        """Sync until `stop` is called. Never raises for what a server or a file does."""
        while not self._is_stopped:
            began = time.monotonic()
            # News that comes while a sync is under way may be newer than what it reads.
            self._woken.clear()
            self.attempt(will_go_on=True)
            self._wait(began)

    def _wait(self, began: float) -> None:
        pause = self._find_pause()
        self._status.next_poll_at = self._clock() + pause
        self._write_status()
        self._woken.wait(max(0.0, began + pause - time.monotonic()))
        least = began + min(pause, self._find_least_pause())
        while not self._is_stopped and (left := least - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _find_pause(self) -> float:
        """Return how long after the beginning of a sync the next one begins: never all at once."""
        configuration, failures = self._configuration, self._status.failures_in_a_row
        if not failures:
            return configuration.poll_seconds * random.uniform(0.9, 1.1)  # noqa: S311
        most = max(configuration.most_back_off_seconds, configuration.poll_seconds)
        return self._back_off(configuration.poll_seconds, most)

    def _find_least_pause(self) -> float:
        """Return how long it takes at the least, whoever wakes this: failing servers are spared."""
        seconds = self._configuration.least_pause_seconds
        most = self._configuration.most_back_off_seconds
        return (
            self._back_off(seconds, max(seconds, most))
            if self._status.failures_in_a_row
            else seconds
        )

    def _back_off(self, seconds: float, most: float) -> float:
        """Double a time for each failure since the last success, and shorten it at random."""
        doublings = min(self._status.failures_in_a_row, _MOST_DOUBLINGS)
        return min(most, seconds * 2.0**doublings) * random.uniform(0.5, 1.0)  # noqa: S311

    def attempt(self, *, will_go_on: bool = False) -> bool:
        """Sync once.

        Args:
            will_go_on: the status is written by the caller.

        Returns:
            whether it came to its end.
        """
        try:
            self._sync.run()
        except SyncFailed as failure:
            self._note_failure(failure)
        except Exception as error:  # noqa: BLE001
            # A defect of ours or of a library, on input that may be hostile: no reason to end.
            _log.exception("the sync of %s failed unforeseen", self._configuration.site)
            self._note_failure(SyncFailed(Kind.REPOSITORY, f"unforeseen: {type(error).__name__}"))
        else:
            self._note_success()
        if not will_go_on:
            self._write_status()
        return not self._status.failures_in_a_row

    def _note_success(self) -> None:
        status = self._status
        if self._logged is not None:
            _log.info("%s: a sync came to its end again", status.site)
            self._logged = None
        status.last_success_at = self._clock()
        status.failures_in_a_row = 0
        status.attempts[_SUCCESS] = status.attempts.get(_SUCCESS, 0) + 1

    def _note_failure(self, failure: SyncFailed) -> None:
        status = self._status
        status.last_failure_at = self._clock()
        status.failure_kind, status.failure = failure.kind.value, failure.reason
        status.failures_in_a_row += 1
        name = failure.kind.value
        status.attempts[name] = status.attempts.get(name, 0) + 1
        self._log_failure(failure)

    def _log_failure(self, failure: SyncFailed) -> None:
        """Log a failure, and the same one again now and then."""
        now = time.monotonic()
        count = 0
        if self._logged is not None and self._logged[0] is failure.kind:
            _, until, count = self._logged
            if now < until:
                self._logged = (failure.kind, until, count + 1)
                return
        self._logged = (failure.kind, now + _PAUSE_OF_LINES_SECONDS, 0)
        _log.error(
            "%s: %s%s; %s",
            self._configuration.site,
            failure,
            f" (and {count} more like this since the last line)" if count else "",
            self._describe_in_force(),
        )

    def _describe_in_force(self) -> str:
        files = read_files(self._configuration.bundle)
        if files.revision is None or files.confirmed_read_at is None:
            return "nothing is in force"
        return (
            f"revision {files.revision} stays in force, its facts are of "
            f"{show_time(files.confirmed_read_at)}"
        )

    def _write_status(self) -> None:
        configuration, status = self._configuration, self._status
        status.received_bytes = self._bytes_before + self._fetcher.received_bytes
        status.roles = {
            name: {"version": role.version, "expires_at": role.expires_at}
            for name, role in self._sync.roles.read().items()
        }
        files = read_files(configuration.bundle)
        self._log_in_force(files)
        try:
            status.write(self._directory.status)
            if configuration.metrics_file is not None:
                write_metrics(configuration.metrics_file, status, files)
        except OSError as error:
            self._log_failure(SyncFailed(Kind.LOCAL, f"the status can't be written: {error}"))

    def _log_in_force(self, files: FilesState) -> None:
        name = (files.revision, files.digest)
        if files.read_at is not None and name != self._in_force:
            _log.info(
                "%s: revision %d (%.16s) is in force, read at %s",
                self._configuration.site,
                *name,
                show_time(files.read_at),
            )
        self._in_force = name

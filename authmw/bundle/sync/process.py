"""Puts a sync process together, and ends it when it is told to."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from authmw.bundle.push import Listener
from authmw.bundle.sync.configuration import SyncConfiguration
from authmw.bundle.sync.directory import SyncDirectory
from authmw.bundle.sync.fetcher import Fetcher
from authmw.bundle.sync.service import SyncService
from authmw.bundle.sync.transport import Transport

_log = logging.getLogger(__name__)

_USER_AGENT: Final = "authmw-bundle-sync"
GRACE_SECONDS: Final = 1.0
"""How long a sync that is under way may go on after SIGTERM. Killed, it leaves a good state."""


@contextmanager
def opened(configuration: SyncConfiguration) -> Iterator[SyncService]:
    """Give the service of a site, which nobody else runs meanwhile.

    Raises:
        AlreadyRunning: somebody does.
        OSError: the directory beside the bundle can't be made.
    """
    directory = SyncDirectory(configuration.bundle)
    with directory.locked():
        directory.forget_interrupted()
        transport = Transport(configuration.transport, _USER_AGENT)
        try:
            fetcher = Fetcher(
                transport,
                directory.incoming,
                deadline_seconds=configuration.deadline_seconds,
                least_bytes_per_second=configuration.least_bytes_per_second,
            )
            yield SyncService(configuration, directory, fetcher)
        finally:
            transport.close()


@contextmanager
def listening(configuration: SyncConfiguration, wake: Callable[[], None]) -> Iterator[None]:
    """Call `wake` when the centre announces something, if the site listens.

    Raises:
        ConfigurationError: the library for announcements is missing.
    """
    if configuration.push is None:
        yield
        return
    least = configuration.least_pause_seconds
    listener = Listener(configuration.push, wake, min_interval_seconds=least)
    listener.start()
    try:
        yield
    finally:
        listener.close()


def run_until_stopped(service: SyncService) -> None:
    """Run a service until SIGTERM or SIGINT; to be called in the main thread."""
    ended = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        service.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with _ended_by_force(service, ended):
        try:
            service.run()
        finally:
            ended.set()


@contextmanager
def _ended_by_force(service: SyncService, ended: threading.Event) -> Iterator[None]:
    """End the process if it does not end by itself in time.

    Python runs a signal's handler between two steps of the main thread, and one step may be a call
    of SQLite's that takes a minute. The number of the signal comes through a pipe at once.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    former = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def watch() -> None:
        with open(reading, "rb", buffering=0) as pipe:
            is_told = pipe.read(1)
        if is_told:
            service.stop()
            if not ended.wait(GRACE_SECONDS):
                _log.info("ended in the middle of a sync; the next one goes on from here")
                os._exit(0)

    threading.Thread(target=watch, daemon=True, name="authmw-sync-end").start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former)
        os.close(writing)

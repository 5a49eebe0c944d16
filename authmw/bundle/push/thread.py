"""A background thread that stays connected to NATS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from authmw.errors import AuthmwError
from authmw.runtime.printable import printable

if TYPE_CHECKING:
    from authmw.bundle.push.connection import Connection
    from authmw.bundle.push.settings import PushSettings

_log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_LONGEST_FAILURE = 500
# A connection that lasted for this long was a good one.
_GOOD_SECONDS = 10.0


class PushThread:
    """Connects, serves the connection, and connects again; what fails is logged once.

    Args:
        settings: of NATS.
        name: that a server shows for our connection.
        without: what happens without NATS, for the log.
        serve: is called with each connection, and cancelled when that ends.
    """

    def __init__(
        self,
        settings: PushSettings,
        *,
        name: str,
        without: str,
        serve: Callable[[Connection], Coroutine[Any, Any, None]],
    ) -> None:
        self._settings = settings
        self._name = name
        self._without = without
        self._serve = serve
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="authmw-push", daemon=True)
        self._failure: str | None = "not connected yet"
        self._is_logged = False

    def start(self) -> None:
        """Start the thread. Raises ConfigurationError if the library for NATS is missing."""
        from authmw.bundle.push import connection  # noqa: F401

        self._thread.start()

    def close(self, patience_seconds: float = 5.0) -> None:
        """End the connection and the thread."""
        self.call(self._stop.set)
        if self._thread.is_alive():
            self._thread.join(patience_seconds)
        elif not self._loop.is_closed():
            self._loop.close()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the thread, soon; without effect once that has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    @property
    def failure(self) -> str | None:
        """Why announcements may be lost now, in words; None: they are not."""
        return self._failure

    def report(self, failure: str | None) -> None:
        """Log a failure once, and once that it is over (None)."""
        if failure is not None:
            # A server's own words may be in it.
            failure = printable(failure, _LONGEST_FAILURE)
        was_logged, self._is_logged = self._is_logged, failure is not None
        self._failure = failure
        if failure is not None and not was_logged:
            _log.warning("NATS: %s; %s", failure, self._without)
        elif failure is None and was_logged:
            _log.warning("NATS: all is well again")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._stay_connected())
        except Exception:  # noqa: BLE001 - a thread that ends must say so
            _log.exception("NATS: stopped by an error of our own; %s", self._without)
        finally:
            with contextlib.suppress(Exception):
                self._cancel_rest()
            self._loop.close()

    def _cancel_rest(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _stay_connected(self) -> None:
        stopped: asyncio.Task[Any] = asyncio.create_task(self._stop.wait())
        servers = random.sample(self._settings.servers, len(self._settings.servers))
        attempt = 0
        while not stopped.done():
            began = self._loop.time()
            await self._connect_once(servers[attempt % len(servers)], stopped)
            attempt = 0 if self._loop.time() - began > _GOOD_SECONDS else attempt + 1
            # One pause for all servers: the others may be well.
            rounds = min(attempt // len(servers), 10)
            pause = min(_FIRST_PAUSE_SECONDS * 2**rounds, _LONGEST_PAUSE_SECONDS)
            await asyncio.wait([stopped], timeout=pause * random.uniform(0.5, 1.0))  # noqa: S311

    async def _connect_once(self, server: str, stopped: asyncio.Task[Any]) -> None:
        from authmw.bundle.push.connection import NatsError, connect

        try:
            async with connect(self._settings, server, self._name) as connection:
                ended: asyncio.Task[Any] = asyncio.create_task(connection.ended.wait())
                serving: asyncio.Task[Any] = asyncio.create_task(self._serve(connection))
                try:
                    await asyncio.wait(
                        [stopped, ended, serving], return_when=asyncio.FIRST_COMPLETED
                    )
                    if serving.done():
                        serving.result()
                    if ended.done() and not stopped.done():
                        self.report(f"{server} closed the connection")
                finally:
                    for task in (ended, serving):
                        task.cancel()
                    await asyncio.gather(ended, serving, return_exceptions=True)
        except (OSError, NatsError, AuthmwError, ValueError) as error:
            # TimeoutError is an OSError, and has no text.
            self.report(f"{server}: {str(error) or 'no answer in time'}")

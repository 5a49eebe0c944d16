"""One memcached server: its connections, and whether it is worth asking."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from authmw.cache.memcached.wire import Connection
from authmw.errors import CacheError
from authmw.runtime.clock import steady_clock

LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The `memcache_pool_*` options.

    Attributes:
        max_connections: open at once to one server.
        wait_seconds: for a connection while all are in use.
        unused_seconds: after which an unused connection is closed; 0: never.
        dead_seconds: for which a server that failed is left alone.
    """

    max_connections: int
    wait_seconds: float
    unused_seconds: float
    dead_seconds: float


class MemcachedServer:
    """One server, used by many threads.

    A connection on which anything went wrong, a killed greenlet included, is closed and
    never used again: what is still to come on it would answer another question.

    Args:
        name: for the log.
        connect: opens a connection; may raise OSError.
        limits: see there.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Connection],
        limits: Limits,
        clock: Callable[[], float] = steady_clock,
    ) -> None:
        self.name = name
        self._connect = connect
        self._limits = limits
        self._clock = clock
        self._slots = threading.Semaphore(limits.max_connections)
        # The youngest at the right, so that the others come to rest and are closed.
        self._unused: deque[tuple[float, Connection]] = deque()
        self._health = threading.Lock()
        self._dead_until: float | None = None

    def is_usable(self) -> bool:
        """Tell whether asking may help: it is not known to be dead, or due for another try."""
        dead_until = self._dead_until
        return dead_until is None or self._clock() >= dead_until

    def run(self, operation: Callable[[Connection], T]) -> T:
        """Return what `operation` does on a connection of ours.

        Raises CacheError, whatever happened.
        """
        if not self._slots.acquire(timeout=self._limits.wait_seconds):
            raise CacheError(
                f"memcached {self.name}: no connection was free in "
                f"{self._limits.wait_seconds} seconds; raise memcache_pool_maxsize"
            )
        try:
            # Those who waited for a connection learn here what became of the server.
            if not self._may_try():
                raise CacheError(f"memcached {self.name} is left alone since it failed")
            result = self._run(operation)
        except CacheError:
            raise
        except OSError as error:
            self._bury(error)
            raise CacheError(f"memcached {self.name}: {_describe(error)}") from error
        except Exception as error:
            # pymemcache raises its own errors, ValueError and KeyError. They judge one
            # answer, not the server. Their text may quote what was answered.
            raise CacheError(
                f"memcached {self.name} gave no proper answer ({type(error).__name__})"
            ) from error
        finally:
            self._slots.release()
        if self._dead_until is not None:
            self._dead_until = None
            LOG.info("memcached %s answers again", self.name)
        return result

    def _run(self, operation: Callable[[Connection], T]) -> T:
        connection = self._take_unused()
        if connection is not None:
            try:
                return self._use(connection, operation)
            except TimeoutError:
                raise
            except OSError:
                # The server has closed it while it was unused, and the others with it:
                # it may have been started anew.
                self._close_unused()
        return self._use(self._connect(), operation)

    def _use(self, connection: Connection, operation: Callable[[Connection], T]) -> T:
        try:
            result = operation(connection)
        except BaseException:
            connection.close()
            raise
        self._unused.append((self._clock(), connection))
        return result

    def _take_unused(self) -> Connection | None:
        try:
            _, connection = self._unused.pop()
        except IndexError:
            return None
        self._close_rested()
        return connection

    def _close_rested(self) -> None:
        if self._limits.unused_seconds <= 0:
            return
        rested_since = self._clock() - self._limits.unused_seconds
        while self._unused:
            try:
                since, connection = self._unused.popleft()
            except IndexError:
                return
            if since > rested_since:
                self._unused.appendleft((since, connection))
                return
            connection.close()

    def _close_unused(self) -> None:
        while self._unused:
            try:
                _, connection = self._unused.pop()
            except IndexError:
                return
            connection.close()

    def _may_try(self) -> bool:
        if self._dead_until is None:
            return True
        with self._health:
            now = self._clock()
            if self._dead_until is not None and now < self._dead_until:
                return False
            # One thread tries; the others wait for what it finds.
            self._dead_until = now + self._limits.dead_seconds
            return True

    def _bury(self, error: OSError) -> None:
        with self._health:
            self._dead_until = self._clock() + self._limits.dead_seconds
        self._close_unused()
        LOG.warning(
            "memcached %s: %s; it is left alone for %s seconds",
            self.name,
            _describe(error),
            self._limits.dead_seconds,
        )


def _describe(error: OSError) -> str:
    return f"{type(error).__name__}: {error}"

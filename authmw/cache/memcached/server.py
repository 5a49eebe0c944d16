"""One memcached server, with its pool of connections."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from authmw.errors import CacheError
from authmw.runtime.clock import steady_clock

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class Connection(Protocol):
    """A connection that one thread uses at a time.

    It may connect at the first question. After any exception its state is unknown, and it has to
    be closed.
    """

    def get(self, key: str) -> bytes | None:
        """Return the value under this key; None: there is none."""

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Store a value."""

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Store a value unless there is one; returns whether it was stored. The step is atomic."""

    def delete(self, key: str) -> None:
        """Delete a value, if there is one."""

    def close(self) -> None:
        """Close it; never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The `memcache_pool_*` options.

    Attributes:
        max_connections: open at once to one server.
        wait_seconds: for a connection while all are in use.
        unused_seconds: after which an unused connection is closed; 0: never.
        dead_seconds: for which a server that failed is not used.
    """

    max_connections: int
    wait_seconds: float
    unused_seconds: float
    dead_seconds: float


class MemcachedServer:
    """One server, used by many threads.

    A connection on which anything went wrong, a killed greenlet included, is closed and never
    used again: the rest of its answer would be taken for the answer to another question.

    Args:
        name: for the log.
        connect: makes a connection; may raise OSError.
        limits: see `Limits`.
        clock: monotonic seconds.

    Attributes:
        dead_until: when the server, which failed, may be tried again, by the clock; None: it
            has not failed.
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
        # The one used last is at the right and is taken first, so that surplus connections at
        # the left stay unused and are closed.
        self._unused: deque[tuple[float, Connection]] = deque()
        self._health = threading.Lock()
        self.dead_until: float | None = None

    def is_usable(self) -> bool:
        """Tell whether the server has not failed, or may be tried again."""
        dead_until = self.dead_until
        return dead_until is None or self._clock() >= dead_until

    def run(self, operation: Callable[[Connection], T]) -> T:
        """Return what `operation` returns when called with one of our connections.

        Raises CacheError for every failure.
        """
        if not self._slots.acquire(timeout=self._limits.wait_seconds):
            raise CacheError(
                f"memcached {self.name}: no connection was free in "
                f"{self._limits.wait_seconds} seconds; raise memcache_pool_maxsize"
            )
        try:
            # The server may have failed while this thread waited for a connection.
            if self.dead_until is not None and not self._begin_trial():
                raise CacheError(f"memcached {self.name} is not used since it failed")
            result = self._run(operation)
        except CacheError:
            raise
        except OSError as error:
            self._note_failure(error)
            raise CacheError(f"memcached {self.name}: {_describe(error)}") from error
        except Exception as error:
            # pymemcache raises its own errors, ValueError and KeyError. They judge one
            # answer, not the server. Their text may quote what was answered.
            raise CacheError(
                f"memcached {self.name} gave no proper answer ({type(error).__name__})"
            ) from error
        finally:
            self._slots.release()
        if self.dead_until is not None:
            self.dead_until = None
            LOG.info("memcached %s answers again", self.name)
        return result

    def _run(self, operation: Callable[[Connection], T]) -> T:
        try:
            _, connection = self._unused.pop()
        except IndexError:
            return self._use(self._connect(), operation)
        if self._unused:
            self._close_surplus()
        try:
            return self._use(connection, operation)
        except TimeoutError:
            raise
        except OSError:
            # The server closed it while it was unused, and the others with it: it may have been
            # restarted.
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

    def _close_surplus(self) -> None:
        if self._limits.unused_seconds <= 0:
            return
        unused_since = self._clock() - self._limits.unused_seconds
        while self._unused:
            try:
                since, connection = self._unused.popleft()
            except IndexError:
                return
            if since > unused_since:
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

    def _begin_trial(self) -> bool:
        """Return whether this thread is the one to try the server that failed."""
        with self._health:
            now = self._clock()
            if self.dead_until is not None and now < self.dead_until:
                return False
            # Other threads do not use the server until this one has succeeded.
            self.dead_until = now + self._limits.dead_seconds
            return True

    def _note_failure(self, error: OSError) -> None:
        with self._health:
            self.dead_until = self._clock() + self._limits.dead_seconds
        self._close_unused()
        LOG.warning(
            "memcached %s: %s; it is not used for %s seconds",
            self.name,
            _describe(error),
            self._limits.dead_seconds,
        )


def _describe(error: OSError) -> str:
    return f"{type(error).__name__}: {error}"

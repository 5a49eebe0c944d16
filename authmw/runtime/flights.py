"""Single flight: of several concurrent requests for the same result, one computes it.

The first request for a key leads; the others follow: they wait for the leader's result. If a
leader ends without a result (a killed greenlet, a worker told to exit), one of its followers leads
next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, NoReturn, TypeVar, cast

from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.runtime.counts import Count
from authmw.runtime.process import PerProcess

T = TypeVar("T")


class _Flight(Generic[T]):
    """One piece of work in progress.

    Attributes:
        running: a lock, held until the leader is done.
        has_result, result: what the leader's work returned.
        error: what it raised, for the followers to raise as well.
        is_refused: True: followers must ask with their own tokens.
    """

    __slots__ = ("error", "has_result", "is_refused", "result", "running")

    def __init__(self) -> None:
        self.running = threading.Lock()
        self.running.acquire()
        self.has_result = False
        self.result: T | None = None
        self.error: InvalidToken | IdentityUnavailable | None = None
        self.is_refused = False


class Flights(Generic[T]):
    """The work in progress in each process.

    Args:
        deadline_seconds: longest time that a follower waits for its leader.
        share_refusals: whether an `InvalidToken` applies to the followers too. If not, each
            follower then does its own work, since each came with its own token.
        joined: counts the followers that share what their leader got.
    """

    def __init__(
        self,
        deadline_seconds: float,
        *,
        share_refusals: bool = True,
        joined: Count | None = None,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._share_refusals = share_refusals
        self._joined = joined or Count()
        self._flights: PerProcess[dict[Hashable, _Flight[T]]] = PerProcess(dict)

    def run(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return what the leader's `work()` returns, or raise what it raises.

        Followers share an `IdentityUnavailable` as they share a result.

        Raises:
            IdentityUnavailable: the leader did not finish in time.
        """
        flights = self._flights.get()
        give_up_at: float | None = None
        while True:
            mine: _Flight[T] = _Flight()
            # setdefault is atomic, so exactly one of several threads leads.
            flight = flights.setdefault(key, mine)
            if flight is mine:
                return self._lead(flights, key, mine, work)
            if give_up_at is None:
                give_up_at = time.monotonic() + self._deadline_seconds
            remaining = give_up_at - time.monotonic()
            if remaining <= 0 or not flight.running.acquire(timeout=remaining):
                raise IdentityUnavailable(
                    f"another request's validation of the same token took more than"
                    f" {self._deadline_seconds:g} s"
                )
            flight.running.release()
            if flight.has_result:
                self._joined.add()
                return cast(T, flight.result)
            if flight.error is not None:
                self._joined.add()
                raise_copy(flight.error)
            if flight.is_refused:
                return work()

    def _lead(
        self,
        flights: dict[Hashable, _Flight[T]],
        key: Hashable,
        flight: _Flight[T],
        work: Callable[[], T],
    ) -> T:
        try:
            flight.result = result = work()
            flight.has_result = True
            return result
        except (InvalidToken, IdentityUnavailable) as error:
            if isinstance(error, InvalidToken) and not self._share_refusals:
                flight.is_refused = True
            else:
                flight.error = error
            raise
        finally:
            flights.pop(key, None)
            flight.running.release()


def raise_copy(error: InvalidToken | IdentityUnavailable) -> NoReturn:
    """Raise another exception that says the same.

    An exception object collects tracebacks as it is raised, so each request gets its own.
    """
    copy = type(error).__new__(type(error), *error.args)
    vars(copy).update(vars(error))
    raise copy

"""Single flight: of all who want the same thing at the same time, one works for it.

The first to ask for a key leads; the others wait for what the leader gets. A leader that
dies without a result (a killed greenlet, a worker told to exit) frees the others, and one
of them leads next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, NoReturn, TypeVar

from authmw.errors import IdentityUnavailable, InvalidToken
from authmw.runtime.process import PerProcess

T = TypeVar("T")


class _Flight(Generic[T]):
    """One piece of work under way; `landed` is held until its leader is done."""

    __slots__ = ("landed", "outcome", "refused")

    def __init__(self) -> None:
        self.landed = threading.Lock()
        self.landed.acquire()
        self.outcome: Callable[[], T] | None = None
        self.refused = False  # and the refusal is the leader's alone


class Flights(Generic[T]):
    """The work under way in this process.

    Args:
        deadline_seconds: how long a follower waits for its leader at most.
        share_refusals: whether an `InvalidToken` holds for the followers too. If not, each of
            them works for itself then: they came with tokens of their own.
    """

    def __init__(self, deadline_seconds: float, *, share_refusals: bool = True) -> None:
        self._deadline_seconds = deadline_seconds
        self._share_refusals = share_refusals
        self._under_way: PerProcess[dict[Hashable, _Flight[T]]] = PerProcess(dict)

    def run(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return what `work()` returns, or raise what it raises, run by whoever came first.

        An `IdentityUnavailable` is shared like a result.

        Raises:
            IdentityUnavailable: the leader did not come back in time.
        """
        under_way = self._under_way.get()
        give_up_at: float | None = None
        while True:
            mine: _Flight[T] = _Flight()
            # setdefault is atomic, so exactly one of several threads leads.
            flight = under_way.setdefault(key, mine)
            if flight is mine:
                return self._lead(under_way, key, mine, work)
            if give_up_at is None:
                give_up_at = time.monotonic() + self._deadline_seconds
            remaining = give_up_at - time.monotonic()
            if remaining <= 0 or not flight.landed.acquire(timeout=remaining):
                raise IdentityUnavailable(
                    f"another request's validation of the same token took more than"
                    f" {self._deadline_seconds:g} s"
                )
            flight.landed.release()
            if flight.refused:
                return work()
            if flight.outcome is not None:
                return flight.outcome()

    def _lead(
        self,
        under_way: dict[Hashable, _Flight[T]],
        key: Hashable,
        flight: _Flight[T],
        work: Callable[[], T],
    ) -> T:
        try:
            result = work()
            flight.outcome = lambda: result
            return result
        except (InvalidToken, IdentityUnavailable) as error:
            if isinstance(error, InvalidToken) and not self._share_refusals:
                flight.refused = True
            else:
                shared = error  # `error` itself is gone once this block ends
                flight.outcome = lambda: _raise_again(shared)
            raise
        finally:
            under_way.pop(key, None)
            flight.landed.release()


def _raise_again(error: InvalidToken | IdentityUnavailable) -> NoReturn:
    # An exception object collects tracebacks as it is raised, so each thread gets its own.
    twin = type(error).__new__(type(error), *error.args)
    vars(twin).update(vars(error))
    raise twin

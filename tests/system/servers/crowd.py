"""Many clients at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 120


class Crowd(Generic[T]):
    """Threads that all begin at the same moment.

    Args:
        works: what each of them does.
    """

    def __init__(self, works: Sequence[Callable[[], T]]) -> None:
        self._pool = ThreadPoolExecutor(len(works))
        self._barrier = threading.Barrier(len(works))
        self._futures: list[Future[T]] = [self._pool.submit(self._begin, work) for work in works]

    def _begin(self, work: Callable[[], T]) -> T:
        self._barrier.wait(PATIENCE_SECONDS)
        return work()

    def results(self) -> list[T]:
        """Wait for all; raises what the first that failed raised."""
        try:
            return [future.result(PATIENCE_SECONDS) for future in self._futures]
        finally:
            self._pool.shutdown(wait=False)

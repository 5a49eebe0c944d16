"""Does the work of requests that may wait, in threads, while the event loop serves other requests.

Requests with the same unknown token wait for one thread. Each lane has threads of its own: while
Keystone hangs, tokens that are verified here do not wait behind those that it has to be asked
about. A request waits for a limited time, and work that no request waits for any more is dropped
unless it has begun.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from authmw.errors import IdentityUnavailable, Lane, WouldBlock
from authmw.runtime.blocking import Outcome, try_work
from authmw.runtime.process import PerProcess

# Enough for what is done once for all requests.
_UPKEEP_THREADS: Final = 2


class _Job:
    """Work in progress, for the requests of one event loop.

    Attributes:
        waiters: how many requests wait for it.
        thread_future: of the thread that does it, or will.
        outcome: what it comes to, for the loop.
    """

    __slots__ = ("outcome", "thread_future", "waiters")

    def __init__(self, outcome: asyncio.Future[Outcome[object]]) -> None:
        self.outcome = outcome
        self.waiters = 0
        self.thread_future: Future[Outcome[object]] | None = None


class _State:
    """The threads and jobs of one process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.executors: dict[Lane, ThreadPoolExecutor] = {}
        self.jobs: dict[tuple[asyncio.AbstractEventLoop, Hashable], _Job] = {}


class Lookups:
    """The work of one middleware's requests.

    Args:
        threads: how many work in each lane at most.
        patience_seconds: how long a request waits.
    """

    def __init__(self, threads: int, patience_seconds: float) -> None:
        self._threads = threads
        self._patience_seconds = patience_seconds
        self._state: PerProcess[_State] = PerProcess(_State)

    async def run(self, pending: WouldBlock) -> Outcome[object]:
        """Return what the work comes to; its error, if it is one of the two, is in the outcome.

        Raises:
            Exception: whatever else the work raises.
        """
        state = self._state.get()
        loop = asyncio.get_running_loop()
        key = (loop, pending.key)
        job = None if pending.others == "work" else state.jobs.get(key)
        if job is None:
            job = self._begin(state, loop, pending)
        elif pending.others == "go on":
            return Outcome()
        job.waiters += 1
        try:
            async with asyncio.timeout(self._patience_seconds):
                # Shielded: others wait for it as well.
                return await asyncio.shield(job.outcome)
        except TimeoutError:
            return Outcome(
                error=IdentityUnavailable(
                    f"no answer within {self._patience_seconds:g} s: all {self._threads} threads"
                    " for look-ups were busy, or this one took longer"
                )
            )
        finally:
            job.waiters -= 1
            if not job.waiters and job.thread_future is not None and job.thread_future.cancel():
                state.jobs.pop(key, None)

    def _begin(self, state: _State, loop: asyncio.AbstractEventLoop, pending: WouldBlock) -> _Job:
        job = _Job(loop.create_future())
        key = (loop, pending.key)
        is_shared = pending.others != "work"

        def forget() -> None:
            if is_shared and state.jobs.get(key) is job:
                state.jobs.pop(key, None)

        def settle(done: Future[Outcome[object]]) -> None:
            # Here, in the loop, so that all requests that came meanwhile share the outcome.
            forget()
            _settle(job.outcome, done)

        def finish(done: Future[Outcome[object]]) -> None:
            try:
                loop.call_soon_threadsafe(settle, done)
            except RuntimeError:  # the loop is closed, and nobody waits
                forget()

        job.thread_future = self._executor(state, pending.lane).submit(try_work, pending.work)
        if is_shared:
            state.jobs[key] = job
        job.thread_future.add_done_callback(finish)
        return job

    def _executor(self, state: _State, lane: Lane) -> ThreadPoolExecutor:
        with state.lock:
            executor = state.executors.get(lane)
            if executor is None:
                threads = _UPKEEP_THREADS if lane == "upkeep" else self._threads
                executor = state.executors[lane] = ThreadPoolExecutor(
                    threads, thread_name_prefix=f"authmw-{lane}"
                )
            return executor

    def close(self) -> None:
        """End the threads that wait for work; work that has not begun is dropped."""
        state = self._state.get()
        with state.lock:
            executors, state.executors = state.executors, {}
        for executor in executors.values():
            executor.shutdown(wait=False, cancel_futures=True)


def _settle(outcome: asyncio.Future[Any], done: Future[Any]) -> None:
    """Pass the result of a thread on; nobody may be waiting any more."""
    if outcome.done():
        return
    error = None if done.cancelled() else done.exception()
    if done.cancelled():
        outcome.set_result(Outcome(error=IdentityUnavailable("this service is being stopped")))
    elif error is None:
        outcome.set_result(done.result())
    else:
        outcome.set_exception(error)
        outcome.exception()  # so that it is not reported as never retrieved

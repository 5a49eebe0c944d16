"""Runs the reloads of one key source; requests wait for them for a bounded time only."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable

from authmw.runtime.clock import steady_clock
from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

PLANNED_WAIT_SECONDS = 2.0
"""Longest wait for a planned reload where there are keys."""
EARLY_WAIT_SECONDS = 1.0
"""Longest wait of a request for the reload that its token causes."""
FAILING_WAIT_SECONDS = 0.1
"""Longest wait for a planned reload after one that failed."""


class _Reload:
    """One reload under way."""

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.done = threading.Event()


class _UnderWay:
    """Holds the reload under way in one process, with its lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reload: _Reload | None = None


class Reloads:
    """Runs one reload at a time, in a thread of its own; callers wait for a bounded time.

    A reload may ask a host that does not answer, or a network file system that hangs. Then its
    thread waits, and its callers go on with the keys in use.

    Args:
        name: of the source, for the log.
        work: reads the source, given epoch seconds.
        early_interval_seconds: least time between reloads that tokens may cause.
        steady_clock: seconds, monotonic.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[float], None],
        *,
        early_interval_seconds: float,
        steady_clock: Callable[[], float] = steady_clock,
    ) -> None:
        self._name = name
        self._work = work
        self._early_interval_seconds = early_interval_seconds
        self._steady_clock = steady_clock
        self._granted_at = float("-inf")
        self._under_way = PerProcess(_UnderWay)
        self._lacks_thread = False

    def begin(self, now: float, *, wait_seconds: float) -> Callable[[], object]:
        """Begin a planned reload, or join the one under way.

        Where no thread can be started, the caller does the work.

        Args:
            now: epoch seconds.
            wait_seconds: how long the returned function waits at most, since the reload began.

        Returns:
            a function that waits for the end of the reload, for a bounded time since it began.
        """
        under_way = self._under_way.get()
        with under_way.lock:
            reload = under_way.reload
            begun = None
            if reload is None or reload.done.is_set():
                under_way.reload = reload = begun = _Reload(self._steady_clock())
        if begun is not None and not self._start(begun, now):
            self._run(begun, now)
        joined = reload
        return lambda: self._wait(joined, joined.began_at + wait_seconds)

    def run_early(self, now: float, *, is_failing: bool) -> bool:
        """Reload for a token that no key verifies, at most once in an interval.

        A caller that comes during a reload first waits for that one, which may read the key. While
        reloads fail, a reload is begun, and no caller waits for it.

        Returns:
            whether a reload that this call began has ended.
        """
        under_way = self._under_way.get()
        wait_seconds = 0.0 if is_failing else EARLY_WAIT_SECONDS
        until = self._steady_clock() + wait_seconds
        while True:
            with under_way.lock:
                reload = under_way.reload
                begun = None
                if reload is None or reload.done.is_set():
                    # abs(): a clock that was set back must not refuse for as long as it was ahead.
                    if abs(now - self._granted_at) < self._early_interval_seconds:
                        return False
                    self._granted_at = now
                    under_way.reload = reload = begun = _Reload(self._steady_clock())
            if begun is not None and not self._start(begun, now):
                begun.done.set()
                return False
            if not self._wait(reload, min(until, reload.began_at + wait_seconds)):
                return False
            if begun is not None:
                return True

    def _start(self, reload: _Reload, now: float) -> bool:
        thread = threading.Thread(
            target=self._run, args=(reload, now), name=f"authmw-{self._name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            # Logged once: every token that no key verifies comes here.
            if not self._lacks_thread:
                _log.warning("no thread for reading %s: %s", self._name, error)
            self._lacks_thread = True
            return False
        self._lacks_thread = False
        return True

    def _wait(self, reload: _Reload, until: float) -> bool:
        return reload.done.wait(max(until - self._steady_clock(), 0.0))

    def _run(self, reload: _Reload, now: float) -> None:
        try:
            self._work(now)
        except Exception as error:  # noqa: BLE001
            # No caller can handle it. Its text is left out: it could quote what was read.
            _log.error(
                "reading %s failed (%s):\n%s",
                self._name,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
        finally:
            reload.done.set()

"""The reloads of one key source, which no request waits for longer than a moment."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable

from authmw.runtime.clock import steady_clock
from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

PLANNED_PATIENCE_SECONDS = 2.0
"""How long a planned reload is waited for. The first request of a process waits for one."""
EARLY_PATIENCE_SECONDS = 1.0
"""How long a request whose token no key verifies waits for the reload that it causes."""
PATIENCE_WHILE_FAILING_SECONDS = 0.1
"""How long a planned reload is waited for once the one before it has failed."""


class _Reload:
    """One reload under way."""

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.done = threading.Event()


class _UnderWay:
    """The reload that is under way in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reload: _Reload | None = None


class Reloads:
    """Has a source read: one reload at a time, in a thread of its own, waited for in bounds.

    A reload may ask a host that does not answer, or a network file system that hangs. Its thread
    then waits for that, and whoever caused it goes on with the keys there are.

    Args:
        name: of the source, for the log.
        work: reads the source, given epoch seconds.
        early_interval_seconds: between reloads that tokens may cause.
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

    def run(self, now: float, *, is_failing: bool) -> None:
        """Reload as planned, or join the reload under way; return after a moment at most.

        Where no thread can be started, the caller's does the work.

        Args:
            now: epoch seconds.
            is_failing: whether the last reload failed, so that this one may take long.
        """
        under_way = self._under_way.get()
        patience = PATIENCE_WHILE_FAILING_SECONDS if is_failing else PLANNED_PATIENCE_SECONDS
        with under_way.lock:
            reload = under_way.reload
            begun = None
            if reload is None or reload.done.is_set():
                under_way.reload = reload = begun = _Reload(self._steady_clock())
        if begun is not None and not self._start(begun, now):
            self._do(begun, now)
        self._wait(reload, reload.began_at + patience)

    def run_early(self, now: float, *, is_failing: bool) -> bool:
        """Reload for a token that no key verifies, at most once in an interval.

        Whoever comes during a reload waits for that one, as the key may be what is being read.
        While reloads fail, a reload is begun all the same, and nobody waits for it.

        Returns:
            whether a reload for this caller has ended.
        """
        under_way = self._under_way.get()
        patience = 0.0 if is_failing else EARLY_PATIENCE_SECONDS
        give_up_at = self._steady_clock() + patience
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
            if not self._wait(reload, min(give_up_at, reload.began_at + patience)):
                return False
            if begun is not None:
                return True

    def _start(self, reload: _Reload, now: float) -> bool:
        thread = threading.Thread(
            target=self._do, args=(reload, now), name=f"authmw-{self._name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            # Said once: tokens that no key verifies come here again and again.
            if not self._lacks_thread:
                _log.warning("no thread for reading %s: %s", self._name, error)
            self._lacks_thread = True
            return False
        self._lacks_thread = False
        return True

    def _wait(self, reload: _Reload, give_up_at: float) -> bool:
        return reload.done.wait(max(give_up_at - self._steady_clock(), 0.0))

    def _do(self, reload: _Reload, now: float) -> None:
        try:
            self._work(now)
        except Exception as error:  # noqa: BLE001
            # Whoever waits has nothing to add. The exception's text could quote what was read.
            _log.error(
                "reading %s failed (%s):\n%s",
                self._name,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
        finally:
            reload.done.set()

"""Keeps public keys, revocation events and authority answers fresh, in the background.

A `Refreshable` has to be read again from time to time; it states when it is due, and how to reload.
The first request of a process reloads everything once, then starts a background thread for each.
Every later request only compares its time with `on_time_from` and `overdue_at`. Where threads never
run between requests (uWSGI without --enable-threads) or one has died, the time is past
`overdue_at`, and a request does the work itself.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from authmw.runtime.clock import steady_clock, wall_clock
from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

# How late a background thread may be before a request does its work.
_PATIENCE_SECONDS = 2.0
# How long a request waits for a reload that a thread has begun. A thread that began in time and has
# not finished was either stopped by the server, and then a second is enough, or waits for a host
# that does not answer. Nothing tells which, so one request waits, once.
_STOPPED_RELOAD_SECONDS = 1.0
# A thread that began late is one that runs only during requests.
_LONGEST_RELOAD_SECONDS = 15.0
# Shortest wait for the next reload, however near `reload_at` is.
_SHORTEST_PAUSE_SECONDS = 0.05
_NEVER = float("inf")


class Refreshable(Protocol):
    """Something that is read again from time to time."""

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next reload, with jitter if many processes do it; infinity: none."""

    def reload(self, now: float) -> None:
        """Read it again and plan the next reload. It handles its own failures."""


class _Clocks(NamedTuple):
    """`wall` returns epoch seconds and may be set; `steady` is monotonic."""

    wall: Callable[[], float]
    steady: Callable[[], float]


class _Schedule:
    """When one refreshable is due: by the wall clock, or by the time that has really passed.

    If the wall clock is set back, the delay measured when `reload_at` was first seen applies. A
    reload that takes long may end after the next `reload_at`; the next one is then late only by
    what has passed since that end. While `is_paused` says so, nothing is due.
    """

    def __init__(
        self, refreshable: Refreshable, clocks: _Clocks, is_paused: Callable[[], bool]
    ) -> None:
        self._refreshable = refreshable
        self._clocks = clocks
        self._is_paused = is_paused
        self._seen = (-_NEVER, -_NEVER)  # reload_at, and the steady time that goes with it
        self._ended = (-_NEVER, -_NEVER)  # when the last reload ended, by either clock

    @property
    def seconds_left(self) -> float:
        """Seconds until it is due; 0 or less: it is due; infinity: it never is."""
        if self._is_paused():
            return _NEVER
        reload_at, now = self._refreshable.reload_at, self._clocks.steady()
        wall = self._clocks.wall()
        left = reload_at - wall
        seen, due_at = self._seen
        if seen != reload_at:
            due_at = now + left
            self._seen = (reload_at, due_at)
        since_end = max(wall - self._ended[0], now - self._ended[1])
        return max(min(left, due_at - now), -since_end)

    def restart(self) -> None:
        """Measure from now on, even if `reload_at` is the same as before."""
        self._seen = (-_NEVER, -_NEVER)
        self._ended = (self._clocks.wall(), self._clocks.steady())


class _Loop:
    """One refreshable in one process, with its thread.

    Attributes:
        reloading: a lock, held during a reload.
        catching_up: a lock, held by the one request that does the thread's work.
        is_late, was_waited_for: of the reload in progress: whether it began too late; whether a
            request has waited for it.
    """

    def __init__(
        self, refreshable: Refreshable, clocks: _Clocks, is_paused: Callable[[], bool]
    ) -> None:
        self.refreshable = refreshable
        self.schedule = _Schedule(refreshable, clocks, is_paused)
        self.reloading = threading.Lock()
        self.catching_up = threading.Lock()
        self.is_late = False
        self.was_waited_for = False
        self.is_closed = False
        self._clock = clocks.wall
        self._wake = wake = threading.Event()
        home = os.getpid()

        # Refers only to the event, so that the thread does not keep the loop alive. A forked
        # child has no such thread, and its copy of the event may hold a lock for ever.
        def end(_: object) -> None:
            if os.getpid() == home:
                wake.set()

        self._end = end
        self._thread: threading.Thread | None = None
        self._lacks_thread = False

    def reload(self) -> None:
        try:
            self.refreshable.reload(self._clock())
        except Exception as error:  # noqa: BLE001
            # No other code would see this exception. Its text is left out: it could quote a
            # token or a secret.
            _log.error(
                "reloading %s failed (%s):\n%s",
                type(self.refreshable).__name__,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
        self.schedule.restart()

    def start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(
                target=_run,
                args=(weakref.ref(self, self._end), self._wake),
                name=f"authmw-{type(self.refreshable).__name__}",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError as error:
                # Requests do the work meanwhile, and try again to start a thread.
                if not self._lacks_thread:
                    _log.warning("no thread for %s: %s", thread.name, error)
                self._lacks_thread = True
            else:
                self._thread, self._lacks_thread = thread, False

    def start_if_planned(self) -> None:
        """Start the thread, unless it would only wait to be woken."""
        if self.pause_seconds is not None:
            self.start()

    def wake(self) -> None:
        self._wake.set()

    @property
    def pause_seconds(self) -> float | None:
        pause = self.schedule.seconds_left
        return None if pause == _NEVER else max(pause, _SHORTEST_PAUSE_SECONDS)

    def reload_if_due(self) -> None:
        if self.schedule.seconds_left <= 0:
            self.finish_reload()

    def finish_reload(self) -> None:
        """Wait for the reload in progress, if there is one, and reload if it is still due."""
        with self.reloading:
            seconds_left = self.schedule.seconds_left
            if seconds_left <= 0:
                self.was_waited_for = False
                self.is_late = seconds_left <= -_PATIENCE_SECONDS
                self.reload()
                self.is_late = False


def _run(find_loop: Callable[[], _Loop | None], wake: threading.Event) -> None:
    """Reload one refreshable whenever it is due, until its filter is closed or deleted."""
    while (loop := find_loop()) is not None and not loop.is_closed:
        pause = loop.pause_seconds
        del loop  # not held while it sleeps
        wake.wait(pause)
        wake.clear()
        if (loop := find_loop()) is not None and not loop.is_closed:
            loop.reload_if_due()


class _Loops:
    """All loops of one process.

    Attributes:
        awaited: those that the first request waits for.
        first_round: a lock, held by the request that reloads everything once.
        has_begun: whether the first round is over.
    """

    def __init__(
        self,
        refreshables: Sequence[Refreshable],
        in_background: Collection[Refreshable],
        clocks: _Clocks,
        is_paused: Callable[[], bool],
    ) -> None:
        self.all = [_Loop(refreshable, clocks, is_paused) for refreshable in refreshables]
        self.awaited = [loop for loop in self.all if loop.refreshable not in in_background]
        self.first_round = threading.Lock()
        self.has_begun = False

    def close(self) -> None:
        for loop in self.all:
            loop.is_closed = True
            loop.wake()


class _Pause:
    """Whether a refresher is paused; apart from it, as a thread must not keep a refresher alive.

    Attributes:
        resumptions: how often it ended.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.resumptions = 0

    def __call__(self) -> bool:
        return self.is_on


class Refresher:
    """Keeps several refreshables fresh in every process that serves requests.

    Args:
        refreshables: what to keep fresh.
        clock: epoch seconds.
        steady_clock: seconds, monotonic.

    Attributes:
        on_time_from, overdue_at: epoch seconds between which no request has to call `catch_up`;
            this comparison is all that most requests do. The time is before `on_time_from` only
            if the clock was set back.
    """

    def __init__(
        self,
        refreshables: Sequence[Refreshable] = (),
        *,
        clock: Callable[[], float] = wall_clock,
        steady_clock: Callable[[], float] = steady_clock,
    ) -> None:
        self._refreshables: tuple[Refreshable, ...] = ()
        self._clock = clock
        self._in_background: tuple[Refreshable, ...] = ()
        clocks = _Clocks(clock, steady_clock)
        self._pause = pause = _Pause()
        self._loops = PerProcess(
            lambda: _Loops(self._refreshables, self._in_background, clocks, pause)
        )
        self.on_time_from, self.overdue_at = -_NEVER, _NEVER
        self._forget: tuple[Callable[[], None], ...] = ()
        self.add(*refreshables)

    def add(self, *refreshables: Refreshable, in_background: bool = False) -> None:
        """Keep these fresh as well; call it before the first request only.

        Args:
            refreshables: what to keep fresh.
            in_background: whether the first request can be answered without them.
        """
        self._refreshables += refreshables
        if in_background:
            self._in_background += refreshables
        if self._refreshables:
            self.overdue_at = -_NEVER

    def when_set_back(self, forget: Callable[[], None]) -> None:
        """Call `forget` after the clock was set back, when older entries would stay fresh too long.

        It goes unnoticed while there is nothing to keep fresh.
        """
        self._forget += (forget,)

    @property
    def has_begun(self) -> bool:
        """Whether everything was read once in this process, so that requests can go by it."""
        return self._loops.get().has_begun

    def start(self) -> None:
        """Make sure that the background threads run; waits for none of them."""
        loops = self._loops.get()
        # Held: a request starts them, and may be waiting for what they read.
        if loops.first_round.acquire(blocking=False):
            try:
                for loop in loops.all:
                    if not loop.is_closed:
                        loop.start_if_planned()
            finally:
                loops.first_round.release()

    def catch_up(self) -> None:
        """Reload what is overdue, and make sure that the background threads run.

        In the first round of a process every request waits until everything was read once. Later,
        one request reloads, and the others use what was read before.
        """
        resumptions = self._pause.resumptions
        self._catch_up()
        if self._pause.resumptions != resumptions:
            # It may have gone by the pause, and undone what `resume` set.
            self.overdue_at = -_NEVER

    def _catch_up(self) -> None:
        if self._clock() < self.on_time_from:
            for forget in self._forget:
                forget()
        if self._pause.is_on:
            self.on_time_from, self.overdue_at = -_NEVER, _NEVER
            return
        loops = self._loops.get()
        if not loops.has_begun:
            with loops.first_round:
                if not loops.has_begun:
                    for loop in loops.all:
                        loop.start_if_planned()
                    for loop in loops.awaited:
                        # Its thread may be faster, and plan the next reload before it reads.
                        loop.finish_reload()
                    loops.has_begun = True
        else:
            for loop in loops.all:
                loop.start_if_planned()
                self._reload_if_overdue(loop)
        seconds_left = min(loop.schedule.seconds_left for loop in loops.all) + _PATIENCE_SECONDS
        now = self._clock()
        # For requests that read the clock a little earlier.
        self.on_time_from = now - _PATIENCE_SECONDS
        # A refreshable that can't be reloaded must not bring every request here.
        self.overdue_at = now + max(seconds_left, _PATIENCE_SECONDS / 2)

    @property
    def is_paused(self) -> bool:
        """Whether nothing is reloaded for now."""
        return self._pause.is_on

    def pause(self) -> None:
        """Reload nothing until `resume`; a reload in progress comes to its end."""
        self._pause.is_on = True
        self.on_time_from, self.overdue_at = -_NEVER, _NEVER

    def resume(self) -> None:
        """Undo `pause`: the next request reloads what has become overdue."""
        if not self._pause.is_on:
            return
        self._pause.is_on = False
        self._pause.resumptions += 1  # before `overdue_at`; see `catch_up`
        loops = [loop for loop in self._loops.get().all if not loop.is_closed]
        for loop in loops:
            loop.wake()
        if loops:
            self.overdue_at = -_NEVER

    def reload_all(self) -> None:
        """Reload everything now if requests have begun; for tests that set time back."""
        loops = self._loops.get()
        if loops.has_begun and not self._pause.is_on:
            for loop in loops.all:
                with loop.reloading:
                    loop.reload()

    def close(self) -> None:
        """End this process's background threads; nothing is kept fresh any more."""
        self.on_time_from, self.overdue_at = -_NEVER, _NEVER
        self._loops.get().close()

    def wake(self, refreshable: Refreshable) -> None:
        """Have a refreshable checked at once, as its `reload_at` has changed."""
        for loop in self._loops.get().all:
            if loop.refreshable is refreshable and not loop.is_closed:
                loop.start()
                loop.wake()
        # If the thread does not run, a request has to notice.
        self.overdue_at = min(self.overdue_at, self._clock() + _PATIENCE_SECONDS)

    def _reload_if_overdue(self, loop: _Loop) -> None:
        if loop.schedule.seconds_left > -_PATIENCE_SECONDS and not loop.is_late:
            return
        if loop.catching_up.acquire(blocking=False):
            try:
                self._reload_or_wait(loop)
            finally:
                loop.catching_up.release()

    def _reload_or_wait(self, loop: _Loop) -> None:
        """Reload, or if a thread is reloading already, wait for it to finish.

        Where threads are stopped between requests (uWSGI without --enable-threads), one may be
        stopped in the middle of a reload, and goes on only while a request waits for it.
        """
        if loop.is_late:
            timeout = _LONGEST_RELOAD_SECONDS
        else:
            timeout = 0 if loop.was_waited_for else _STOPPED_RELOAD_SECONDS
        if not loop.reloading.acquire(timeout=timeout):
            loop.was_waited_for = True
            return
        try:
            if loop.schedule.seconds_left <= -_PATIENCE_SECONDS:
                loop.reload()
        finally:
            loop.reloading.release()

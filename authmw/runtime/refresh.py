"""One mechanism that keeps things fresh: public keys, revocation events, authority answers.

Whatever has to be read again from time to time is a `Refreshable`: it says when it is due,
and how to reload. The first request of a process reloads everything once, then starts a
background thread for each. A request only looks whether its time is between `idle_from` and
`overdue_at`; where threads never run between requests (uWSGI without --enable-threads) or
one has died, it is not, and a request does the work itself.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
import weakref
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from authmw.runtime.clock import steady_clock, wall_clock
from authmw.runtime.process import PerProcess

_log = logging.getLogger(__name__)

# How late a background thread may be before a request does its work.
_PATIENCE_SECONDS = 2.0
# How long a request waits for a reload that a thread has begun. One that began in time is
# either stopped, and needs a moment, or asks somebody who does not answer; so one request
# waits for it, once.
_MOMENT_SECONDS = 1.0
_LONGEST_RELOAD_SECONDS = 15.0
# No reload is planned nearer than this, whatever a refreshable says.
_SHORTEST_PAUSE_SECONDS = 0.05
_NEVER = float("inf")


class Refreshable(Protocol):
    """Something that is read again from time to time."""

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next reload; infinity for none. With jitter, if many do it."""

    def reload(self, now: float) -> None:
        """Read it anew and plan the next reload. Failures are its own affair."""


@dataclass(frozen=True, slots=True)
class _Clocks:
    """Two clocks: `wall` tells epoch seconds and may be set, `steady` is a monotonic one."""

    wall: Callable[[], float]
    steady: Callable[[], float]


class _Plan:
    """When one refreshable is due: by the clock, or by the time that has really passed.

    `reload_at` is a time of the clock, which may be set back, even far: then it is as far
    off as the time that was left when it was first seen. It may also be over by the time that
    the last reload, which took long, has ended: late is only what could have begun earlier.
    """

    def __init__(self, refreshable: Refreshable, clocks: _Clocks) -> None:
        self._refreshable = refreshable
        self._clocks = clocks
        self._seen = (-_NEVER, -_NEVER)  # reload_at, and the steady time that goes with it
        self._ended = (-_NEVER, -_NEVER)  # when the last reload did, by either clock

    @property
    def seconds_left(self) -> float:
        """Until it is due; 0 or less: it is; infinity: it never is."""
        reload_at, now = self._refreshable.reload_at, self._clocks.steady()
        wall = self._clocks.wall()
        left = reload_at - wall
        seen, due_at = self._seen
        if seen != reload_at:
            due_at = now + left
            self._seen = (reload_at, due_at)
        since_end = max(wall - self._ended[0], now - self._ended[1])
        return max(min(left, due_at - now), -since_end)

    def begin_anew(self) -> None:
        """Take what is planned from now on for new, even if it is the same time."""
        self._seen = (-_NEVER, -_NEVER)
        self._ended = (self._clocks.wall(), self._clocks.steady())


class _Loop:
    """One refreshable in one process."""

    def __init__(self, refreshable: Refreshable, clocks: _Clocks) -> None:
        self.refreshable = refreshable
        self.plan = _Plan(refreshable, clocks)
        self.reloading = threading.Lock()
        self.stepping_in = threading.Lock()
        # Of the reload that is under way: whether it began too late, and was waited for.
        self.is_late = False
        self.was_waited_for = False
        self.is_closed = False
        self._clock = clocks.wall
        self._wake = wake = threading.Event()
        home = os.getpid()

        # Of the event alone, so that the thread does not keep the loop alive. A forked child
        # has no such thread, and a lock in the event that may be held for ever.
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
            # Nobody waits for this thread, so nobody else would ever hear of it. The
            # exception's text is left out: it could quote a token or a secret.
            _log.error(
                "reloading %s failed (%s):\n%s",
                type(self.refreshable).__name__,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
        self.plan.begin_anew()

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
                # Requests do the work meanwhile, and come here again and again.
                if not self._lacks_thread:
                    _log.warning("no thread for %s: %s", thread.name, error)
                self._lacks_thread = True
            else:
                self._thread, self._lacks_thread = thread, False

    def start_if_planned(self) -> None:
        """Start the thread, unless there is nothing to do before somebody wakes it."""
        if self.pause_seconds is not None:
            self.start()

    def wake(self) -> None:
        self._wake.set()

    @property
    def pause_seconds(self) -> float | None:
        pause = self.plan.seconds_left
        return None if pause == _NEVER else max(pause, _SHORTEST_PAUSE_SECONDS)

    def reload_if_due(self) -> None:
        seconds_left = self.plan.seconds_left
        if seconds_left <= 0:
            with self.reloading:
                self.was_waited_for = False
                self.is_late = seconds_left <= -_PATIENCE_SECONDS
                self.reload()
                self.is_late = False


def _run(find_loop: Callable[[], _Loop | None], wake: threading.Event) -> None:
    """What a background thread does, until the filter it works for is closed or gone."""
    while (loop := find_loop()) is not None and not loop.is_closed:
        pause = loop.pause_seconds
        del loop  # not held while it sleeps
        wake.wait(pause)
        wake.clear()
        if (loop := find_loop()) is not None and not loop.is_closed:
            loop.reload_if_due()


class _Crew:
    """All loops of one process."""

    def __init__(
        self,
        refreshables: Sequence[Refreshable],
        in_background: Collection[Refreshable],
        clocks: _Clocks,
    ) -> None:
        self.loops = [_Loop(refreshable, clocks) for refreshable in refreshables]
        self.awaited = [loop for loop in self.loops if loop.refreshable not in in_background]
        self.first_round = threading.Lock()
        self.is_under_way = False

    def disband(self) -> None:
        for loop in self.loops:
            loop.is_closed = True
            loop.wake()


class Refresher:
    """Keeps several refreshables fresh in every process that serves requests.

    Args:
        refreshables: what to keep fresh.
        clock: epoch seconds.
        steady_clock: seconds, monotonic.

    Attributes:
        idle_from, overdue_at: epoch seconds between which no request has to call `catch_up`;
            to compare the time with them is all that a request pays. It is before the first
            of them only if the clock was set back.
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
        self._crew = PerProcess(lambda: _Crew(self._refreshables, self._in_background, clocks))
        self.idle_from, self.overdue_at = -_NEVER, _NEVER
        self._forget: tuple[Callable[[], None], ...] = ()
        self.add(*refreshables)

    def add(self, *refreshables: Refreshable, in_background: bool = False) -> None:
        """Keep these fresh as well; to be called before the first request only.

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
        """Have this called when the clock was set back: what was dated by it would stay fresh
        for as much longer. Noticed only where something is kept fresh.
        """
        self._forget += (forget,)

    def catch_up(self) -> None:
        """Do what is overdue and see to it that the background threads run.

        In a process's first round everybody waits until everything was read once; later, one
        request works and the others go on with what there is.
        """
        if self._clock() < self.idle_from:
            for forget in self._forget:
                forget()
        crew = self._crew.get()
        if not crew.is_under_way:
            with crew.first_round:
                if not crew.is_under_way:
                    for loop in crew.loops:
                        loop.start_if_planned()
                    for loop in crew.awaited:
                        loop.reload_if_due()
                    crew.is_under_way = True
        else:
            for loop in crew.loops:
                loop.start_if_planned()
                self._reload_if_due(loop, patience=_PATIENCE_SECONDS)
        seconds_left = min(loop.plan.seconds_left for loop in crew.loops) + _PATIENCE_SECONDS
        now = self._clock()
        # Requests that read the clock a little earlier are not to come here.
        self.idle_from = now - _PATIENCE_SECONDS
        # A refreshable that can't get on must not have every request come here.
        self.overdue_at = now + max(seconds_left, _PATIENCE_SECONDS / 2)

    def close(self) -> None:
        """End this process's background threads; nothing is kept fresh any more."""
        self.idle_from, self.overdue_at = -_NEVER, _NEVER
        self._crew.get().disband()

    def wake(self, refreshable: Refreshable) -> None:
        """Have a refreshable look at once whether it is due, as something has changed."""
        for loop in self._crew.get().loops:
            if loop.refreshable is refreshable and not loop.is_closed:
                loop.start()
                loop.wake()
        # Should the thread not run, a request is to notice.
        self.overdue_at = min(self.overdue_at, self._clock() + _PATIENCE_SECONDS)

    def _reload_if_due(self, loop: _Loop, *, patience: float) -> None:
        if loop.plan.seconds_left > -patience and not loop.is_late:
            return
        if loop.stepping_in.acquire(blocking=False):
            try:
                self._step_in(loop, patience)
            finally:
                loop.stepping_in.release()

    def _step_in(self, loop: _Loop, patience: float) -> None:
        """Reload it, or where a thread is at it already, see to it that the thread gets on.

        Where threads stand still between requests (uWSGI without --enable-threads), one may do
        so in the middle of a reload, and goes on only while a request waits for it.
        """
        if loop.is_late:
            timeout = _LONGEST_RELOAD_SECONDS
        else:
            timeout = 0 if loop.was_waited_for else _MOMENT_SECONDS
        if not loop.reloading.acquire(timeout=timeout):
            loop.was_waited_for = True
            return
        try:
            if loop.plan.seconds_left <= -patience:
                loop.reload()
        finally:
            loop.reloading.release()

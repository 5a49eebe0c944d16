"""Keeps fresh what is first read when it is first needed, any number of it with one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from authmw.runtime.process import PerProcess

_NEVER = float("inf")


class Startable(Protocol):
    """Something that can be read again without waiting for it."""

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next reload."""

    def begin_reload(self, now: float) -> Callable[[], object]:
        """Begin to read it again; return what waits for the end, for a bounded time."""


class LazyRefresh:
    """Reloads those of its members that were needed at least once.

    It is a `Refreshable`, due when the first of them is. A member that does not answer costs a
    reload of the others nothing: all begin before any is waited for, and each wait is bounded.
    """

    def __init__(self) -> None:
        self._started: tuple[Startable, ...] = ()
        self._starting = PerProcess(threading.Lock)
        self._wake: Callable[[], None] = _do_nothing

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Call `wake` when a member starts, so that `reload` is called once it is due."""
        self._wake = wake

    def start(self, member: Startable) -> None:
        """Keep a member fresh from now on; it plans its own reloads."""
        with self._starting.get():
            if not any(one is member for one in self._started):
                self._started += (member,)
        self._wake()

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next reload of any member; infinity: none was needed yet."""
        return min((member.reload_at for member in self._started), default=_NEVER)

    def reload(self, now: float) -> None:
        """Reload the members whose time has come; see `authmw.runtime.refresh.Refreshable`."""
        begun = [member.begin_reload(now) for member in self._started if member.reload_at <= now]
        for wait in begun:
            wait()


def _do_nothing() -> None:
    pass

"""Early reloads: at most one in an interval, and whoever comes during one waits for it."""

from __future__ import annotations

import threading

import pytest

from authmw.keys.last_good import RateLimit


def test_it_is_done_once_in_an_interval() -> None:
    limit = RateLimit(1.0)
    done: list[float] = []
    for now in (10.0, 10.9, 11.0):
        limit.attempt(lambda now=now: done.append(now), now)  # type: ignore[misc]
    assert done == [10.0, 11.0]


def test_who_comes_while_it_is_under_way_is_refused_only_once_it_is_done() -> None:
    limit = RateLimit(1.0)
    started, may_finish = threading.Event(), threading.Event()
    order: list[str] = []

    def work() -> None:
        started.set()
        assert may_finish.wait(30)
        order.append("reloaded")

    def come() -> None:
        assert not limit.attempt(lambda: order.append("reloaded twice"), 10.0)
        order.append("refused")

    first = threading.Thread(target=limit.attempt, args=(work, 10.0))
    first.start()
    assert started.wait(30)
    others = [threading.Thread(target=come) for _ in range(4)]
    for other in others:
        other.start()
    may_finish.set()
    for thread in (first, *others):
        thread.join(30)
    assert order == ["reloaded", *["refused"] * 4]


def test_work_that_hangs_holds_up_nobody_who_comes_late() -> None:
    seconds = [0.0]
    limit = RateLimit(1.0, steady_clock=lambda: seconds[0])
    started, may_finish = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        assert may_finish.wait(30)

    hanging = threading.Thread(target=limit.attempt, args=(work, 10.0))
    hanging.start()
    assert started.wait(30)
    seconds[0] = 2.1
    assert not limit.attempt(lambda: None, 20.0), "though an interval has passed"
    assert hanging.is_alive()
    may_finish.set()
    hanging.join(30)
    assert limit.attempt(lambda: None, 20.0)


def test_work_that_fails_holds_nobody_up() -> None:
    limit = RateLimit(1.0)
    with pytest.raises(ZeroDivisionError):
        limit.attempt(lambda: 1 // 0, 10.0)  # type: ignore[arg-type]
    assert limit.attempt(lambda: None, 12.0)

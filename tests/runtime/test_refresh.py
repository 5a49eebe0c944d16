"""The refresher runs in the background, and in a request where no thread can run."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from authmw.runtime.refresh import Refresher


class Counting:
    """A refreshable that counts its reloads, and is due again `every` seconds later."""

    def __init__(self, every: float, clock: Callable[[], float] = time.time) -> None:
        self.reload_at = float("-inf")
        self.reloads = 0
        self.threads: set[str] = set()
        self.reloaded = threading.Condition()
        self._every = every
        self._clock = clock

    def reload(self, now: float) -> None:
        with self.reloaded:
            self.reloads += 1
            self.threads.add(threading.current_thread().name)
            self.reload_at = now + self._every
            self.reloaded.notify_all()

    def wait_for(self, reloads: int) -> bool:
        with self.reloaded:
            return self.reloaded.wait_for(lambda: self.reloads >= reloads, 20)


SECRET = "gAAAAAB-what-nobody-may-see"


class Failing(Counting):
    def reload(self, now: float) -> None:
        super().reload(now)
        raise RuntimeError("disk on fire")


def test_nothing_to_refresh_never_needs_a_request() -> None:
    assert Refresher([]).overdue_at == float("inf")


def test_the_first_request_reads_everything_and_no_thread_runs_before_it() -> None:
    before = threading.active_count()
    first, second = Counting(3600), Counting(3600)
    refresher = Refresher([first, second])
    assert (threading.active_count(), first.reloads) == (before, 0)
    assert time.time() >= refresher.overdue_at
    refresher.catch_up()
    assert (first.reloads, second.reloads) == (1, 1)
    assert refresher.overdue_at > time.time()


def test_later_reloads_happen_in_the_background() -> None:
    counting = Counting(0.05)
    refresher = Refresher([counting])
    refresher.catch_up()
    assert counting.wait_for(4)
    assert any(name.startswith("authmw-") for name in counting.threads)


def test_concurrent_first_requests_all_wait_for_the_first_round() -> None:
    may_finish = threading.Event()

    class Slow(Counting):
        def reload(self, now: float) -> None:
            assert may_finish.wait(20)
            super().reload(now)

    slow = Slow(3600)
    refresher = Refresher([slow])
    seen: list[int] = []

    def request() -> None:
        refresher.catch_up()
        seen.append(slow.reloads)

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    may_finish.set()
    for thread in threads:
        thread.join(20)
    assert seen == [1] * 8


def test_the_first_request_waits_for_a_thread_that_was_faster() -> None:
    began = threading.Event()

    class Planning(Counting):
        """Plans its next reload before it reads, as key sources do."""

        def reload(self, now: float) -> None:
            self.reload_at = now + 3600
            began.set()
            time.sleep(0.3)
            super().reload(now)

    class Waiting(Counting):
        def reload(self, now: float) -> None:
            assert began.wait(20)
            super().reload(now)

    planning = Planning(3600)
    Refresher([Waiting(3600), planning]).catch_up()
    assert planning.reloads == 1


def test_where_the_background_is_late_a_request_does_the_work() -> None:
    now = [1000.0]
    # The thread sleeps in real time, so to a clock that jumps it is as good as dead.
    counting = Counting(100, lambda: now[0])
    refresher = Refresher([counting], clock=lambda: now[0])
    refresher.catch_up()
    now[0] += 50
    assert now[0] < refresher.overdue_at
    now[0] += 60
    assert now[0] >= refresher.overdue_at
    refresher.catch_up()
    assert counting.reloads == 2
    assert threading.current_thread().name in counting.threads
    assert now[0] < refresher.overdue_at


DAY = 86_400


def test_a_clock_set_back_far_delays_no_reload_in_the_background() -> None:
    set_back = [0]
    counting = Counting(0.3, lambda: time.time() - set_back[0])
    refresher = Refresher([counting], clock=lambda: time.time() - set_back[0])
    refresher.catch_up()
    set_back[0] = DAY
    assert counting.wait_for(counting.reloads + 3)
    refresher.close()


def test_where_the_background_is_late_a_clock_set_back_delays_no_request_either() -> None:
    now, passed = [1_000_000.0], [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds
        passed[0] += seconds

    def serve_request() -> None:
        if not refresher.on_time_from <= now[0] < refresher.overdue_at:
            refresher.catch_up()

    counting = Counting(100, lambda: now[0])
    refresher = Refresher([counting], clock=lambda: now[0], steady_clock=lambda: passed[0])
    serve_request()
    wait(30)
    now[0] -= DAY
    serve_request()
    assert counting.reloads == 1
    assert refresher.on_time_from <= now[0] < refresher.overdue_at
    wait(60)
    serve_request()
    assert counting.reloads == 1
    for reloads in (2, 3):
        wait(103)
        serve_request()
        assert counting.reloads == reloads
    refresher.close()


def test_a_clock_set_forward_reloads_at_once_and_goes_on_as_before() -> None:
    now, passed = [1_000_000.0], [0.0]
    counting = Counting(100, lambda: now[0])
    refresher = Refresher([counting], clock=lambda: now[0], steady_clock=lambda: passed[0])
    refresher.catch_up()
    now[0] += DAY
    assert now[0] >= refresher.overdue_at
    refresher.catch_up()
    assert (counting.reloads, counting.reload_at) == (2, now[0] + 100)
    assert refresher.overdue_at == now[0] + 102
    refresher.close()


def test_a_failure_is_logged_and_does_not_end_the_refreshing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = Failing(0.05)
    refresher = Refresher([failing])
    refresher.catch_up()
    assert failing.wait_for(3)
    refresher.close()
    assert "failed (RuntimeError)" in caplog.text
    assert 'raise RuntimeError("disk on fire")' in caplog.text


def test_what_a_failure_quotes_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Quoting(Counting):
        def reload(self, now: float) -> None:
            super().reload(now)
            raise RuntimeError(f"can't use {SECRET}") from ValueError(SECRET)

    quoting = Quoting(3600)
    refresher = Refresher([quoting])
    refresher.catch_up()
    refresher.close()
    [record] = [each for each in caplog.records if "Quoting failed" in each.getMessage()]
    assert SECRET not in logging.Formatter().format(record)
    # Nor does the record hold on to the exception, whose frames have it in their variables.
    assert record.exc_info is None


def test_its_threads_end_when_it_is_closed() -> None:
    before = threading.enumerate()
    counting = Counting(0.05)
    refresher = Refresher([counting])
    refresher.catch_up()
    assert counting.wait_for(3)
    [thread] = [thread for thread in threading.enumerate() if thread not in before]
    refresher.close()
    thread.join(20)
    assert not thread.is_alive()
    reloads = counting.reloads
    time.sleep(0.2)
    assert (counting.reloads, refresher.overdue_at) == (reloads, float("inf"))


def test_its_threads_end_with_it() -> None:
    counting = Counting(0.05)
    refresher = Refresher([counting])
    refresher.catch_up()
    assert counting.wait_for(3)
    thread = next(
        thread
        for thread in threading.enumerate()
        if thread.name in counting.threads and thread is not threading.current_thread()
    )
    del refresher
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()


def test_wake_makes_it_look_at_once() -> None:
    counting = Counting(3600)
    refresher = Refresher([counting])
    refresher.catch_up()
    counting.reload_at = 0.0
    refresher.wake(counting)
    assert counting.wait_for(2)


def test_while_it_is_paused_nothing_is_reloaded_and_no_request_comes_to_it() -> None:
    counting = Counting(0.05)
    refresher = Refresher([counting])
    refresher.catch_up()
    assert counting.wait_for(3)
    refresher.pause()
    time.sleep(0.1)
    reloads = counting.reloads
    assert (refresher.is_paused, refresher.overdue_at) == (True, float("inf"))
    refresher.wake(counting)
    refresher.catch_up()
    time.sleep(0.2)
    assert (counting.reloads, refresher.overdue_at) == (reloads, float("inf"))
    refresher.resume()
    assert counting.wait_for(reloads + 3)
    assert refresher.overdue_at < time.time()


class Interrupted(Refresher):
    """Once armed, it is resumed by another thread while a request's `catch_up` says when to come.

    `catch_up` assigns `on_time_from` first, then `overdue_at`.
    """

    is_armed = False

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "on_time_from" and self.is_armed:
            self.is_armed = False
            self.resume()


def test_request_that_still_saw_the_pause_does_not_undo_resume() -> None:
    counting = Counting(3600)
    refresher = Interrupted([counting])
    refresher.pause()
    refresher.is_armed = True
    refresher.catch_up()
    assert (refresher.is_paused, refresher.overdue_at) == (False, float("-inf"))
    refresher.catch_up()
    assert counting.reloads == 1


def test_request_that_is_paused_at_its_end_does_not_undo_resume() -> None:
    class Pausing(Counting):
        def reload(self, now: float) -> None:
            super().reload(now)
            refresher.pause()
            refresher.is_armed = True

    refresher = Interrupted([Pausing(3600)])
    refresher.catch_up()
    assert (refresher.is_paused, refresher.overdue_at) == (False, float("-inf"))


def test_one_that_is_paused_before_its_first_request_begins_when_it_goes_on() -> None:
    counting = Counting(3600)
    refresher = Refresher([counting])
    refresher.pause()
    refresher.start()
    refresher.catch_up()
    assert (counting.reloads, refresher.has_begun) == (0, False)
    refresher.resume()
    refresher.catch_up()
    assert (counting.reloads, refresher.has_begun) == (1, True)


def test_one_that_is_closed_while_it_is_paused_remains_closed() -> None:
    counting = Counting(3600)
    refresher = Refresher([counting])
    refresher.pause()
    refresher.close()
    refresher.resume()
    assert (counting.reloads, refresher.overdue_at) == (0, float("inf"))


def test_a_forked_child_starts_its_own_threads() -> None:
    counting = Counting(0.05)
    refresher = Refresher([counting])
    refresher.catch_up()
    child = os.fork()
    if child == 0:
        known = counting.reloads
        refresher.catch_up()
        os._exit(0 if counting.wait_for(known + 3) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_child_forked_while_a_thread_was_woken_waits_for_nobody() -> None:
    counting = Counting(3600)
    refresher = Refresher([counting])
    refresher.catch_up()
    [wake] = [loop._wake for loop in refresher._loops.get().all]
    with vars(wake)["_cond"]:  # as the parent's other threads do for a moment, again and again
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            refresher.catch_up()
            os._exit(0)
    _, status = os.waitpid(child, 0)
    refresher.close()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_request_waits_for_a_thread_that_is_stopped_in_the_middle_of_what_is_overdue() -> None:
    """As under uWSGI without --enable-threads: it goes on while a request waits."""
    now = [1000.0]
    begun, may_go_on = threading.Event(), threading.Event()

    class Stopped(Counting):
        def reload(self, now: float) -> None:
            if self.reloads:
                begun.set()
                assert may_go_on.wait(20)
            super().reload(now)

    stopped = Stopped(100, lambda: now[0])
    refresher = Refresher([stopped], clock=lambda: now[0])
    refresher.catch_up()
    now[0] += 150
    refresher.wake(stopped)
    assert begun.wait(20)
    seen: list[int] = []

    def request() -> None:
        refresher.catch_up()
        seen.append(stopped.reloads)

    asking = threading.Thread(target=request)
    asking.start()
    asking.join(0.3)
    may_go_on.set()
    asking.join(20)
    refresher.close()
    assert seen == [2]


def test_what_was_planned_for_a_time_before_a_long_reload_ended_is_not_late() -> None:
    now = [1000.0]
    begun = [threading.Event() for _ in range(4)]
    may_end = [threading.Event() for _ in range(4)]

    class Slow(Counting):
        def reload(self, now: float) -> None:
            number = self.reloads
            begun[number].set()
            assert may_end[number].wait(20)
            super().reload(now)

    slow = Slow(5, lambda: now[0])
    refresher = Refresher([slow], clock=lambda: now[0])
    may_end[0].set()
    refresher.catch_up()
    now[0] += 5
    refresher.wake(slow)
    assert begun[1].wait(20)
    now[0] += 10  # a server that says nothing, until a deadline
    may_end[1].set()
    assert begun[2].wait(20)
    asked_at = time.monotonic()
    refresher.catch_up()
    assert time.monotonic() - asked_at < 0.5
    for event in may_end:
        event.set()
    refresher.close()

"""Key reloads: one at a time, early ones rate limited, with a bounded wait."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from authmw.runtime.reloads import (
    EARLY_WAIT_SECONDS,
    FAILING_WAIT_SECONDS,
    PLANNED_WAIT_SECONDS,
    Reloads,
)

# For a machine that is busy with something else.
TOLERANCE_SECONDS = 1.0


class Work:
    """Counts its reloads; one that is held takes until it is let go."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self, now: float) -> None:
        self.times.append(now)
        self.began.set()
        assert self.may_end.wait(30)


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.may_end.set()


def make(work: Callable[[float], None], interval: float = 1.0) -> Reloads:
    return Reloads("keys", work, early_interval_seconds=interval)


def at_once(count: int, call: Callable[[], object]) -> list[object]:
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def seconds_of(call: Callable[[], object]) -> float:
    began_at = time.monotonic()
    call()
    return time.monotonic() - began_at


def test_an_early_reload_is_done_once_in_an_interval(work: Work) -> None:
    reloads = make(work)
    done = [reloads.run_early(now, is_failing=False) for now in (10.0, 10.9, 11.0)]
    assert (done, work.times) == ([True, False, True], [10.0, 11.0])


def test_a_clock_that_is_set_back_does_not_hold_up_early_reloads(work: Work) -> None:
    reloads = make(work)
    assert [reloads.run_early(now, is_failing=False) for now in (10.0, -4000.0)] == [True, True]


def test_planned_reloads_are_done_whenever_they_are_asked_for(work: Work) -> None:
    reloads = make(work)
    for now in (10.0, 10.1):
        reloads.begin(now, wait_seconds=2.0)()
    assert work.times == [10.0, 10.1]


def test_who_comes_during_a_reload_waits_for_it_and_causes_no_other(work: Work) -> None:
    reloads = make(work)
    work.may_end.clear()
    first = threading.Thread(target=reloads.run_early, args=(10.0,), kwargs={"is_failing": False})
    first.start()
    assert work.began.wait(30)
    ended: list[bool] = []

    def come() -> None:
        assert not reloads.run_early(10.1, is_failing=False)
        ended.append(work.may_end.is_set())

    others = [threading.Thread(target=come) for _ in range(4)]
    for other in others:
        other.start()
    work.may_end.set()
    for thread in (first, *others):
        thread.join(30)
    assert (ended, work.times) == ([True] * 4, [10.0])


def test_a_key_that_appears_during_a_planned_reload_is_looked_for_after_it(work: Work) -> None:
    reloads = make(work)
    work.may_end.clear()
    planned = threading.Thread(target=reloads.begin(10.0, wait_seconds=2.0))
    planned.start()
    assert work.began.wait(30)
    threading.Timer(0.1, work.may_end.set).start()
    assert reloads.run_early(10.0, is_failing=False)
    planned.join(30)
    assert len(work.times) == 2


def test_work_that_hangs_holds_up_nobody_for_long_and_who_comes_late_not_at_all(
    work: Work,
) -> None:
    reloads = make(work)
    work.may_end.clear()

    def early() -> bool:
        return reloads.run_early(10.0, is_failing=False)

    took = seconds_of(lambda: at_once(6, early))
    assert EARLY_WAIT_SECONDS <= took < EARLY_WAIT_SECONDS + TOLERANCE_SECONDS
    assert seconds_of(lambda: [early() for _ in range(20)]) < TOLERANCE_SECONDS
    assert work.times == [10.0]
    longer = PLANNED_WAIT_SECONDS - EARLY_WAIT_SECONDS
    assert seconds_of(lambda: reloads.begin(20.0, wait_seconds=2.0)()) < longer + TOLERANCE_SECONDS
    assert seconds_of(lambda: reloads.begin(30.0, wait_seconds=2.0)()) < TOLERANCE_SECONDS
    work.may_end.set()
    give_up_at = time.monotonic() + 30
    while not reloads.run_early(40.0, is_failing=False):
        assert time.monotonic() < give_up_at


def test_while_reloads_fail_they_go_on_and_nobody_waits_for_them(work: Work) -> None:
    reloads = make(work)
    work.may_end.clear()
    assert seconds_of(lambda: reloads.run_early(10.0, is_failing=True)) < TOLERANCE_SECONDS
    assert work.began.wait(30)
    assert (
        seconds_of(lambda: reloads.begin(20.0, wait_seconds=FAILING_WAIT_SECONDS)())
        < TOLERANCE_SECONDS
    )


def test_work_that_fails_is_logged_without_what_it_quotes_and_holds_nobody_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(now: float) -> None:
        raise ZeroDivisionError(f"secret at {now}")

    reloads = make(fail)
    reloads.begin(10.0, wait_seconds=2.0)()
    assert reloads.run_early(12.0, is_failing=False)
    assert "reading keys failed (ZeroDivisionError)" in caplog.text
    assert "secret" not in caplog.text.replace('f"secret', "")


def test_where_no_thread_can_be_started_plans_are_kept_and_tokens_cause_nothing(
    work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    reloads = make(work)
    assert not reloads.run_early(10.0, is_failing=False)
    assert work.times == []
    reloads.begin(10.0, wait_seconds=2.0)()
    assert work.times == [10.0]
    assert caplog.record_tuples[0][1:] == (
        logging.WARNING,
        "no thread for reading keys: can't start new thread",
    )


def test_a_child_forked_during_a_reload_begins_its_own(work: Work) -> None:
    reloads = make(work)
    work.may_end.clear()
    reloads.run_early(10.0, is_failing=True)
    assert work.began.wait(30)
    with reloads._under_way.get().lock:
        child = os.fork()
        if child == 0:
            work.may_end.set()
            os._exit(0 if reloads.run_early(20.0, is_failing=False) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0

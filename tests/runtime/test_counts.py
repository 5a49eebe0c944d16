"""Counts are exact, whoever counts at once, and begin anew in a forked child."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from authmw.runtime.counts import SECONDS, Count, Latencies, Tally

_THREADS, _EACH = 8, 20_000


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_a_child(work: Callable[[], bool]) -> bool:
    """Return what `work` returns in a forked process."""
    child = os.fork()
    if not child:
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.usefixtures("frequent_switches")
def test_threads_lose_no_event_though_others_read() -> None:
    count, tally = Count(), Tally()
    read: list[int] = []

    def work() -> None:
        for turn in range(_EACH):
            count.add()
            tally.add("a", "b")
            if not turn % 100:
                read.append(count.read())

    in_threads(work)
    assert count.read() == _THREADS * _EACH
    assert tally.read() == {("a", "b"): _THREADS * _EACH}
    assert max(read) <= _THREADS * _EACH


@pytest.mark.usefixtures("frequent_switches")
def test_threads_lose_no_latency() -> None:
    latencies = Latencies()
    heard: list[float] = []
    latencies.listeners = (lambda labels, seconds: heard.append(seconds),)

    def work() -> None:
        for _ in range(_EACH // 10):
            latencies.observe(("remote",), 0.5)

    in_threads(work)
    taken = latencies.read()["remote",]
    assert (taken.count, taken.seconds) == (len(heard), sum(heard))
    assert taken.count == _THREADS * _EACH // 10


def test_reading_counts_nothing() -> None:
    count = Count()
    count.add()
    assert [count.read() for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (SECONDS[0], 0), (0.0002, 1), (10.0, 15), (10.1, 16)]
)
def test_a_latency_is_in_the_bucket_whose_bound_it_does_not_exceed(
    seconds: float, bucket: int
) -> None:
    latencies = Latencies()
    latencies.observe((), seconds)
    assert latencies.read()[()].buckets.index(1) == bucket


def test_a_forked_child_counts_its_own_alone() -> None:
    count, tally, latencies = Count(), Tally(), Latencies()
    add = count.add  # as the hot path has it bound
    add()
    tally.add("a")
    latencies.observe((), 1.0)

    def work() -> bool:
        add()
        add()
        return (count.read(), tally.read(), latencies.read()) == (2, {("a",): 0}, {})

    assert in_a_child(work)
    assert (count.read(), tally.read(), latencies.read()[()].count) == (1, {("a",): 1}, 1)


def test_a_fork_while_another_thread_holds_the_locks() -> None:
    count, latencies = Count(), Latencies()
    with count._lock, latencies._lock:

        def work() -> bool:
            latencies.observe((), 1.0)
            return count.read() == 0 and latencies.read()[()].count == 1

        assert in_a_child(work)

"""The circuit breaker by itself: what opens it, for how long, and what closes it."""

from __future__ import annotations

import contextlib
import threading

import pytest

from authmw.errors import Outage
from authmw.identity.breaker import Breaker, Change
from authmw.identity.meaning import Health
from authmw.identity.outcomes import Outcome

ANSWERS, FAILS, UNKNOWN = Health.ANSWERS, Health.FAILS, Health.UNKNOWN


def make_breaker(jitter: float = 0.0) -> Breaker:
    return Breaker(
        threshold=3,
        first_pause_seconds=1,
        longest_pause_seconds=10,
        jitter=lambda: jitter,
    )


def cast_doubt(breaker: Breaker) -> None:
    for _ in range(3):
        assert not breaker.admit(0)
        breaker.record(FAILS, 0)


def make_open(jitter: float = 0.0) -> Breaker:
    """Return a breaker that opened at 0."""
    breaker = make_breaker(jitter)
    cast_doubt(breaker)
    assert breaker.admit(0)
    assert breaker.conclude(FAILS, 0) is Change.OPENED
    return breaker


def remaining_pause(breaker: Breaker, now: float) -> int:
    with pytest.raises(Outage) as refused:
        breaker.admit(now)
    assert refused.value.kind == Outcome.BREAKER_OPEN.name
    return refused.value.retry_after


@pytest.mark.parametrize(
    ("said", "doubtful"),
    [
        ([FAILS] * 2, False),
        ([FAILS] * 3, True),
        ([FAILS] * 70, True),
        ([FAILS, FAILS, ANSWERS, FAILS, FAILS], False),
        ([FAILS, FAILS, ANSWERS, FAILS, FAILS, FAILS], True),
        ([FAILS] * 70 + [ANSWERS], False),
        ([FAILS, UNKNOWN, FAILS, UNKNOWN, FAILS], True),
        ([UNKNOWN] * 70, False),
        ([ANSWERS] * 3, False),
    ],
)
def test_only_outages_in_a_row_cast_doubt(said: list[Health], doubtful: bool) -> None:  # noqa: FBT001
    breaker = make_breaker()
    for health in said:
        breaker.record(health, 0)
    assert breaker.admit(0) is doubtful
    assert not breaker.fails_fast


def test_in_doubt_one_probes_and_the_others_go_on_asking() -> None:
    breaker = make_breaker()
    cast_doubt(breaker)
    assert [breaker.admit(0) for _ in range(4)] == [True, False, False, False]


def test_outages_without_end_open_nothing_while_the_probe_succeeds() -> None:
    """However many tokens a client has that make the endpoint stumble."""
    breaker = make_breaker()
    for _ in range(100):
        cast_doubt(breaker)
        assert breaker.admit(0)
        assert breaker.conclude(ANSWERS, 0) is None
        assert not breaker.fails_fast


def test_doubt_that_an_answer_removed_is_not_revived_by_the_probe() -> None:
    breaker = make_breaker()
    cast_doubt(breaker)
    assert breaker.admit(0)
    breaker.record(ANSWERS, 0)
    assert breaker.conclude(FAILS, 0) is None
    assert not breaker.fails_fast
    assert not breaker.admit(0)


def test_probe_that_finds_nothing_out_opens_nothing() -> None:
    breaker = make_breaker()
    cast_doubt(breaker)
    assert breaker.admit(0)
    assert breaker.conclude(UNKNOWN, 0) is None
    assert not breaker.fails_fast
    assert not breaker.admit(0)


def test_failed_probe_makes_requests_fail_fast_for_a_moment() -> None:
    breaker = make_open()
    assert breaker.fails_fast
    assert remaining_pause(breaker, 0) == 1
    assert remaining_pause(breaker, 0.999) == 1
    assert breaker.admit(1)


def test_while_one_probes_an_open_breaker_the_others_fail_fast() -> None:
    breaker = make_open()
    assert breaker.admit(5)
    assert [remaining_pause(breaker, 5), remaining_pause(breaker, 50)] == [1, 1]
    assert breaker.conclude(ANSWERS, 50) is Change.CLOSED
    assert not breaker.admit(50)


def test_only_the_probe_closes() -> None:
    breaker = make_open()
    for health in Health:
        breaker.record(health, 0)
        assert remaining_pause(breaker, 0.5) == 1
    assert breaker.fails_fast


def test_pauses_double_up_to_a_bound_and_change_nothing_else() -> None:
    breaker = make_open()
    now, pauses = 0.0, [remaining_pause(breaker, 0)]
    for _ in range(60):
        now += pauses[-1]
        assert breaker.admit(now)
        assert breaker.conclude(FAILS, now) is None
        pauses.append(remaining_pause(breaker, now))
    assert pauses[:6] == [1, 2, 4, 8, 10, 10]
    assert set(pauses[4:]) == {10}


def test_probe_of_an_open_breaker_that_finds_nothing_out_leaves_it_open() -> None:
    breaker = make_open()
    assert breaker.admit(1)
    assert breaker.conclude(UNKNOWN, 1) is None
    assert remaining_pause(breaker, 1) == 2


def test_closing_starts_over() -> None:
    breaker = make_open()
    for now in (1, 10, 100):
        assert breaker.admit(now)
        breaker.conclude(FAILS, now)
    assert breaker.admit(1000)
    assert breaker.conclude(ANSWERS, 1000) is Change.CLOSED
    cast_doubt(breaker)
    assert breaker.admit(1000)
    assert breaker.conclude(FAILS, 1000) is Change.OPENED
    assert remaining_pause(breaker, 1000) == 1


@pytest.mark.parametrize("opened_at", [0.0, 1_000_000.0, 1_800_000_000.3])
def test_pause_is_not_lost_in_rounding(opened_at: float) -> None:
    for step in range(100):
        breaker = make_breaker(jitter=step / 100)
        cast_doubt(breaker)
        assert breaker.admit(opened_at)
        assert breaker.conclude(FAILS, opened_at) is Change.OPENED
        assert remaining_pause(breaker, opened_at) == 1


def test_jitter_only_shortens() -> None:
    breaker = make_open(jitter=1.0)
    assert remaining_pause(breaker, 0.74) == 1
    assert breaker.admit(0.75)


@pytest.mark.parametrize("opened_at_first", [False, True])
def test_probe_that_was_given_up_is_made_by_the_next(opened_at_first: bool) -> None:  # noqa: FBT001
    breaker = make_open() if opened_at_first else make_breaker()
    if not opened_at_first:
        cast_doubt(breaker)
    assert breaker.admit(1)
    assert breaker.conclude(None, 1) is None
    assert breaker.fails_fast is opened_at_first
    assert breaker.admit(1)


def test_clock_that_is_set_back_does_not_prolong_the_pause() -> None:
    breaker = make_open()
    assert breaker.admit(-86400)


def test_of_many_threads_one_probes() -> None:
    breaker = make_open()
    together = threading.Barrier(16, timeout=10)
    admitted: list[bool] = []

    def ask() -> None:
        together.wait()
        with contextlib.suppress(Outage):
            admitted.append(breaker.admit(1))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert admitted == [True]

"""The renewal rate bounds how many bearers a process renews, whatever its threads and clock do."""

from __future__ import annotations

from authmw.authority.rate import RenewalRate

NOW = 1_700_000_000.0


def take_all(rate: RenewalRate, *times: float) -> int:
    return sum(rate.take(now) for now in times)


def test_a_second_allows_so_many_and_a_pause_no_more() -> None:
    rate = RenewalRate(3)
    assert take_all(rate, *[NOW] * 10) == 3
    assert take_all(rate, *[NOW + 1] * 10) == 3
    assert take_all(rate, *[NOW + 1000] * 10) == 3
    assert take_all(RenewalRate(0), NOW, NOW + 1) == 0


def test_threads_that_read_the_clock_a_little_earlier_gain_nothing() -> None:
    rate = RenewalRate(3)
    assert take_all(rate, *[NOW] * 10) == 3
    # Whoever waited for the endpoint meanwhile brings a time of some seconds ago.
    assert take_all(rate, *[NOW - 0.001, NOW, NOW - 5, NOW] * 10) == 0
    assert take_all(rate, *[NOW + 1] * 10) == 3


def test_a_clock_that_was_set_back_fills_nothing_and_stops_nothing() -> None:
    rate = RenewalRate(3)
    assert take_all(rate, *[NOW] * 10) == 3
    assert take_all(rate, *[NOW - 3600] * 10) == 0
    assert take_all(rate, *[NOW - 3599] * 10) == 3

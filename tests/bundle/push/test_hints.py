"""Hints lead to few synchronizations, and soon."""

from __future__ import annotations

import itertools
import random

from authmw.bundle.push.hints import Hints


def _hints(*, spread: float = 1.0, chance: float = 0.5) -> Hints:
    return Hints(min_interval_seconds=2.0, spread_seconds=spread, chance=lambda: chance)


def test_first_hint_waits_for_a_part_of_the_spread() -> None:
    assert _hints(chance=0.25).hear(100.0) == 0.25


def test_hints_before_a_planned_synchronization_plan_no_other() -> None:
    hints = _hints()
    assert hints.hear(100.0) is not None
    assert [hints.hear(100.0 + n / 10) for n in range(100)] == [None] * 100


def test_hint_during_a_synchronization_plans_another() -> None:
    hints = _hints()
    hints.hear(100.0)
    hints.begin(100.5)
    assert hints.hear(100.5) == 2.0


def test_flood_makes_one_synchronization_in_each_interval() -> None:
    hints = Hints(min_interval_seconds=2.0, spread_seconds=1.0, chance=random.Random(1).random)
    begun, due_at = [], float("inf")
    for tick in range(100_000):
        now = tick / 1000
        if now >= due_at:
            begun.append(now)
            hints.begin(now)
            due_at = float("inf")
        delay = hints.hear(now)
        if delay is not None:
            assert delay <= 3.0
            due_at = now + delay
    assert min(later - earlier for earlier, later in itertools.pairwise(begun)) > 1.99
    assert 33 <= len(begun) <= 50


def test_no_hint_waits_for_longer_than_interval_and_spread() -> None:
    hints = _hints(chance=1.0)
    assert hints.hear(0.0) == 1.0
    hints.begin(0.0)
    assert hints.hear(0.001) == 1.999

"""Measures contenders in turn, so that a noisy machine disturbs all of them alike.

One round calls each contender many times, one contender after the other and in another
order each round; a figure is the median over the rounds. Time is `perf_counter_ns`. What
the process holds before the first round is frozen (`gc.freeze`) and the collector stays on:
everyone pays for the garbage it makes, nobody for scanning what another one keeps.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_CALIBRATION_NS = 2_000_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Attributes:
        rounds: how often each contender has its turn.
        turn_seconds: how long one turn takes, roughly.
        starts: how many processes are started for one figure.
    """

    rounds: int
    turn_seconds: float
    starts: int


FULL = Effort(rounds=41, turn_seconds=0.04, starts=11)
QUICK = Effort(rounds=11, turn_seconds=0.015, starts=4)


def measure(contenders: Mapping[str, Callable[[], object]], effort: Effort) -> dict[str, float]:
    """Return the median time of one call of each contender, in microseconds."""
    turns = measure_turns(contenders, effort)
    return {name: statistics.median(times) for name, times in turns.items()}


def measure_turns(
    contenders: Mapping[str, Callable[[], object]], effort: Effort
) -> dict[str, list[float]]:
    """Return the time of one call of each contender in each of its turns, in microseconds."""
    calls = {name: _calibrate(call, effort) for name, call in contenders.items()}
    turns: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    gc.collect()
    gc.freeze()
    try:
        for _ in range(effort.rounds):
            for name in names:
                elapsed_ns = _time_calls(contenders[name], calls[name])
                turns[name].append(elapsed_ns / calls[name] / 1000)
            names.append(names.pop(0))
    finally:
        gc.unfreeze()
    return turns


def _calibrate(call: Callable[[], object], effort: Effort) -> int:
    """Find how many calls fill one turn; this warms up too."""
    count = 1
    while (elapsed_ns := _time_calls(call, count)) < _CALIBRATION_NS:
        count *= 2
    return max(1, int(count * effort.turn_seconds * 1e9 / elapsed_ns))


def _time_calls(call: Callable[[], object], count: int) -> int:
    calls = itertools.repeat(None, count)
    start = time.perf_counter_ns()
    for _ in calls:
        call()
    return time.perf_counter_ns() - start

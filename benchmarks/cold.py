"""What a filter adds to a request whose token it knows, out of a processor's warm caches.

Between two requests a service runs code of its own, which drives the filter's out of the caches.
Here so many scattered dicts are read before each call instead, and the call alone is timed. So a
figure says how much memory a hit touches more than how many instructions it takes.
"""

from __future__ import annotations

import gc
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

from benchmarks.measure import Effort
from benchmarks.stage import answer, open_stage, request_with
from benchmarks.table import Row

# Added microseconds at most, by the number of dicts read.
BUDGETS = {5_000: 17.0, 20_000: 43.0}

_POOL_SIZE = 200_000
# The order is the same in every run, so that runs can be compared.
_SEED = 7
_CALLS_PER_ROUND = 25
# Of hundreds of requests.
_PROBES = 5


def run(effort: Effort) -> Iterator[Row]:
    """Yield a row for each number of dicts; the peer has its own memory."""
    with open_stage() as stage:
        token = stage.server.issue("member", project="inventory")
        requests = {
            "bare": request_with(answer, token),
            "ours": request_with(stage.build_ours(answer), token),
            "peer": request_with(stage.build_peer(answer), token),
        }
        for send in requests.values():
            send()
            send()
        for count, at_most in BUDGETS.items():
            with stage.no_validation("a cold hit", at_most=_PROBES):
                times = measure_cold(requests, count, effort)
            ours, peer = times["ours"] - times["bare"], times["peer"] - times["bare"]
            yield Row(
                f"in memory, cold: {count:,} dicts read before each call;"
                f" bare app {times['bare']:.0f} µs",
                f"{ours:.1f} µs",
                f"{peer:.0f} µs",
                f"{peer / ours:.0f} x less",
                f"{at_most:g} µs",
                ours <= at_most,
            )


def measure_cold(
    contenders: Mapping[str, Callable[[], object]], count: int, effort: Effort
) -> dict[str, float]:
    """Return the median time of one call of each, in microseconds; they have turns.

    Args:
        contenders: the calls.
        count: how many dicts are read before each call.
        effort: says how many calls are made.
    """
    pool = itertools.cycle(_make_scattered(_POOL_SIZE))
    times: dict[str, list[int]] = {name: [] for name in contenders}
    gc.collect()
    gc.freeze()
    try:
        for _ in range(effort.rounds * _CALLS_PER_ROUND):
            for name, call in contenders.items():
                for members in itertools.islice(pool, count):
                    members["number"], members["text"]
                start = time.perf_counter_ns()
                call()
                times[name].append(time.perf_counter_ns() - start)
    finally:
        gc.unfreeze()
    return {name: statistics.median(turns) / 1000 for name, turns in times.items()}


def _make_scattered(count: int) -> list[dict[str, object]]:
    """Return dicts whose order is not that of their places in memory."""
    scattered: list[dict[str, object]] = [
        {"number": number, "text": str(number), "list": [number]} for number in range(count)
    ]
    random.Random(_SEED).shuffle(scattered)
    return scattered

"""What counting costs a request whose token is in memory.

Filters with and without metrics take turns in one run. `registry` is what `prometheus` and
`opentelemetry` cost as well: they read the counts elsewhere. A bearer token takes the long way
through the filter, where more is counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Effort, measure
from benchmarks.stage import Stage, answer, open_stage, request_with
from benchmarks.table import Row

_MOST_US = 0.3
_WAYS = {"the short way": {}, "the long way": {"accept_bearer": "true"}}


def run(effort: Effort) -> Iterator[Row]:
    """Yield one row for each way a hit can take; there is no peer to these."""
    with open_stage() as stage:
        for way, options in _WAYS.items():
            yield _row(stage, effort, way, options)


def _row(stage: Stage, effort: Effort, way: str, options: dict[str, str]) -> Row:
    token = stage.server.issue("member", project="inventory")
    requests = {
        metrics: request_with(stage.build_ours(answer, metrics=metrics, **options), token)
        for metrics in ("none", "registry")
    }
    requests["bare"] = request_with(answer, token)
    for send in requests.values():
        send()
        send()
    with stage.no_validation(way):
        times = measure(requests, effort)
    off, on = (times[metrics] - times["bare"] for metrics in ("none", "registry"))
    return Row(
        f"a hit in memory, {way}: metrics on beside off",
        f"{on:.2f} µs",
        f"{off:.2f} µs (ours)",
        f"{on / off:.2f}",
        f"{_MOST_US:g} µs more",
        on - off <= _MOST_US,
    )

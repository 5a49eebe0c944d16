"""What counting costs a request whose token is in memory.

Filters with and without metrics take turns in one run. `registry` is what `prometheus` and
`opentelemetry` cost as well: they read the counts elsewhere. A request with a service's token
takes the long way through the filter, where more is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from benchmarks.measure import Effort, measure_turns
from benchmarks.stage import Stage, WsgiApp, answer, open_stage, request_with
from benchmarks.table import Row

_MOST_US = 0.3
_ROUNDS = 1000
_WAYS = ("the short way", "the long way")


def run(effort: Effort) -> Iterator[Row]:
    """Yield one row for each way a hit can take; there is no peer to these."""
    with open_stage() as stage:
        for way in _WAYS:
            yield _row(stage, effort, way)


def _row(stage: Stage, effort: Effort, way: str) -> Row:
    token = stage.server.issue("member", project="inventory")
    apps = {metrics: stage.build_ours(answer, metrics=metrics) for metrics in ("none", "registry")}
    apps["bare"] = answer
    if way == "the long way":
        service = stage.server.issue("service", project="service")
        apps = {name: _add_service_token(app, service) for name, app in apps.items()}
    requests = {name: request_with(app, token) for name, app in apps.items()}
    for send in requests.values():
        send()
        send()
    with stage.no_validation(way):
        turns = measure_turns(requests, replace(effort, rounds=_ROUNDS, turn_seconds=0.001))
    # What differs is less than a busy machine adds: the least disturbed of many short turns count.
    times = {name: min(each) for name, each in turns.items()}
    off, on = (times[metrics] - times["bare"] for metrics in ("none", "registry"))
    return Row(
        f"a hit in memory, {way}: metrics on beside off",
        f"{on:.2f} µs",
        f"{off:.2f} µs (ours)",
        f"{on / off:.2f}",
        f"{_MOST_US:g} µs more",
        on - off <= _MOST_US,
    )


def _add_service_token(app: WsgiApp, token: str) -> WsgiApp:
    def send(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["HTTP_X_SERVICE_TOKEN"] = token
        return app(environ, start_response)

    return send

"""What a filter adds to a request whose token this process, or memcached, knows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from benchmarks.measure import Effort, measure
from benchmarks.stage import (
    ENDPOINTS_OF_A_LARGE_CATALOG,
    Stage,
    answer,
    open_stage,
    request_with,
)
from benchmarks.table import Row, times_less

_SMALL = "small token"
_FOUND = "ours, memcached, "
_BEARERS = {"bearer known": ("member", "member"), "bearer new": ("reader", "admin")}
_LARGE = f"{ENDPOINTS_OF_A_LARGE_CATALOG} endpoints"


def run(effort: Effort) -> Iterator[Row]:
    """Yield the rows of a small token, then of one with a large catalog."""
    with open_stage() as stage:
        yield from _rows(stage, effort, _SMALL, at_least=30)
    with open_stage(endpoint_count=ENDPOINTS_OF_A_LARGE_CATALOG) as stage:
        yield from _rows(stage, effort, _LARGE, at_least=120)


def _rows(stage: Stage, effort: Effort, size: str, *, at_least: float) -> Iterator[Row]:
    token = stage.server.issue("member", project="inventory")
    servers = {"memcached_servers": stage.memcached.address}
    # With keystonemiddleware "memcached" is all its memory; without, it has one of its own.
    requests = {
        "bare": request_with(answer, token),
        "ours": request_with(stage.build_ours(answer), token),
        "peer, memcached": request_with(stage.build_peer(answer, **servers), token),
        "peer, memory": request_with(stage.build_peer(answer), token),
    }
    # One entry is the least memory there is: two tokens in turn drive each other out. What they
    # say of their bearer is in use where both have the same (and another filter holds him), and
    # read anew where nothing in this process knows of either.
    for who, bearers in _BEARERS.items():
        app = stage.build_ours(answer, memory_cache_size="1", **servers)
        tokens = [stage.server.issue(bearer, project="inventory") for bearer in bearers]
        requests[f"{_FOUND}{who}"] = _alternate(*(request_with(app, each) for each in tokens))
    for send in requests.values():
        send()
        send()
    with stage.no_validation(size):
        times = measure(requests, effort)
    added = {name: time - times["bare"] for name, time in times.items()}
    yield times_less(
        f"in memory, {size}; peer: memcached",
        added["ours"],
        added["peer, memcached"],
        at_least=at_least,
    )
    yield times_less(
        f"in memory, {size}; peer: in memory", added["ours"], added["peer, memory"], at_least=20
    )
    for name in requests:
        if name.startswith(_FOUND):
            what = f"in memcached only, {size}, {name.removeprefix(_FOUND)}"
            yield times_less(what, added[name], added["peer, memcached"], at_least=2)


def _alternate(*requests: Callable[[], None]) -> Callable[[], None]:
    """Return a function that sends each of the requests in turn, one at every call."""
    turns = itertools.cycle(requests)
    return lambda: next(turns)()

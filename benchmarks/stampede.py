"""Many threads with one token that nobody has seen: how often is the identity service asked?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from benchmarks.measure import Effort
from benchmarks.stage import Stage, WsgiApp, answer, open_stage, request_with
from benchmarks.table import Row

THREADS = 32
_PATIENCE_SECONDS = 30


def run(effort: Effort) -> Iterator[Row]:
    """Yield the row: the most calls of several stampedes, for each contender."""
    with open_stage() as stage:
        ours = _count_calls(stage, stage.build_ours, effort)
        peer = _count_calls(stage, stage.build_peer, effort)
    yield Row(
        f"validations for {THREADS} threads with one new token",
        str(ours),
        str(peer),
        f"{peer / ours:.0f} x less",
        "1",
        ours == 1,
    )


def _count_calls(stage: Stage, build: Callable[..., WsgiApp], effort: Effort) -> int:
    app = build(answer, memcached_servers=stage.memcached.address)
    # The filter's own token, and its connections, are not what is counted.
    request_with(app, stage.server.issue())()
    return max(_stampede(stage, app) for _ in range(effort.starts))


def _stampede(stage: Stage, app: WsgiApp) -> int:
    token = stage.server.issue()
    before = stage.validations
    barrier = threading.Barrier(THREADS)

    def come() -> None:
        send = request_with(app, token)
        barrier.wait(_PATIENCE_SECONDS)
        send()

    threads = [threading.Thread(target=come, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE_SECONDS)
    return stage.validations - before

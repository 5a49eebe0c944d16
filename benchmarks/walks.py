"""How many calls each journey of a request makes in authmw, and in how many modules they are.

    python -m benchmarks.walks
    python -m benchmarks.walks --calls known

The second prints the calls in order. The counts (`benchmarks.calls`) are exact, so that those of
two commits can be compared. Every filter has memcached configured, the one for signed tokens a key
directory as well; requests before the counted one have opened its connections. Another token of
the bearer is in the process's memory in all journeys, in the last one that of another filter.
Of a few runs the shortest counts, as an answer may come in more than one piece.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.calls import Walk, parse_walk, walk
from benchmarks.measure import QUICK, Effort
from benchmarks.stage import (
    CannotMeasure,
    Stage,
    WsgiApp,
    answer,
    open_stage,
    request_with,
    silence_logs,
)
from benchmarks.table import Row, format_text

_OURS: Final = "authmw"
_PEER: Final = "keystonemiddleware"
_TIMEOUT_SECONDS = 60
_RUNS = 3


@dataclass(frozen=True, slots=True)
class Journey:
    """One way a request can take.

    Attributes:
        what: describes it in the table.
        most_calls, most_modules: the aim.
    """

    what: str
    most_calls: int
    most_modules: int


JOURNEYS: Final[Mapping[str, Journey]] = {
    "known": Journey("known token", 12, 9),
    "memcached": Journey("unseen opaque token, found in memcached", 55, 18),
    "asked": Journey("unseen opaque token, asked for, then kept", 110, 26),
    "bearer-known": Journey("unseen JWS, bearer known", 45, 18),
    "bearer-unknown": Journey("unseen JWS, bearer unknown", 130, 32),
    "build": Journey("import and build a filter", 600, 60),
}


def run(effort: Effort) -> Iterator[Row]:  # noqa: ARG001 - a count has no precision
    """Yield a row for each journey; the peer has one of them."""
    walks = walk_all()
    peer = _walk_peer()
    for name, journey in JOURNEYS.items():
        calls, modules = len(walks[name].calls), walks[name].module_count
        yield Row(
            f"calls / modules: {journey.what}",
            f"{calls:,} / {modules}",
            f"{len(peer.calls)} / {peer.module_count}" if name == "asked" else "",
            budget=f"{journey.most_calls} / {journey.most_modules}",
            is_met=calls <= journey.most_calls and modules <= journey.most_modules,
        )


def walk_all() -> dict[str, Walk]:
    """Return the walk of each journey."""
    runs = [_walk_once() for _ in range(_RUNS)]
    return {name: min((run[name] for run in runs), key=_length) for name in JOURNEYS}


def _length(walked: Walk) -> int:
    return len(walked.calls)


def _walk_once() -> dict[str, Walk]:
    with open_stage() as stage, tempfile.TemporaryDirectory() as directory:
        keys = Path(directory) / "keys"
        stage.server.issuer.write_public_key(keys)
        memcached = {"memcached_servers": stage.memcached.address}
        return {
            **_walk_opaque(stage, memcached),
            **_walk_signed(stage, {**memcached, "jws_public_key_repository": str(keys)}),
            "build": _walk_build({**stage.server.service_credentials, **memcached}),
        }


def _walk_opaque(stage: Stage, options: Mapping[str, str]) -> dict[str, Walk]:
    app, elsewhere = (stage.build_ours(answer, **options) for _ in range(2))
    for each in (app, elsewhere):
        _warm_up(each, stage.server.issue)
    token = stage.server.issue("member", project="inventory")
    before = stage.validations
    asked = _walk_request(app, token)
    if stage.validations != before + 1:
        raise CannotMeasure("the identity server was not asked about an unseen token")
    with stage.no_validation("counting calls"):
        known = _walk_request(app, token)
        found = _walk_request(elsewhere, token)
    return {"known": known, "memcached": found, "asked": asked}


def _walk_signed(stage: Stage, options: Mapping[str, str]) -> dict[str, Walk]:
    app = stage.build_ours(answer, **options)
    _warm_up(app, stage.server.issue_jws)
    elsewhere = stage.build_ours(answer)
    request_with(elsewhere, stage.server.issue("reader", project="inventory"))()
    unknown, known = (
        _walk_request(app, stage.server.issue_jws("reader", project="inventory")) for _ in range(2)
    )
    return {"bearer-unknown": unknown, "bearer-known": known}


def _walk_request(app: WsgiApp, token: str) -> Walk:
    return walk(request_with(app, token), _OURS, leaving_out=["testing"])


def _walk_build(conf: Mapping[str, str]) -> Walk:
    """Walk through import and building in a new process, which has imported nothing of ours."""
    options = [f"{name}={value}" for name, value in conf.items()]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.calls", _OURS, *options],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise CannotMeasure(f"a filter could not be built:\n{done.stderr}")
    return parse_walk(done.stdout)


def _walk_peer() -> Walk:
    """Return the peer's walk of an unseen token that it asks about, then keeps."""
    with open_stage() as stage:
        app = stage.build_peer(answer, memcached_servers=stage.memcached.address)
        _warm_up(app, stage.server.issue)
        tokens = [stage.server.issue("member", project="inventory") for _ in range(_RUNS)]
        return min((walk(request_with(app, token), _PEER) for token in tokens), key=_length)


def _warm_up(app: WsgiApp, issue: Callable[..., str]) -> None:
    """Have the filter fetch its own token, open its connections and make what is made once."""
    for _ in range(2):
        send = request_with(app, issue("member", project="inventory"))
        send()
        send()


def main() -> None:
    """Print the table, or the calls of one journey."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.walks", description=__doc__)
    parser.add_argument("--calls", choices=JOURNEYS, help="print the calls of one journey in order")
    arguments = parser.parse_args()
    silence_logs()
    if arguments.calls is None:
        print(format_text(run(QUICK)))
    else:
        print(walk_all()[arguments.calls].format_calls())


if __name__ == "__main__":
    main()

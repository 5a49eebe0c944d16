"""Run the benchmarks and print one table.

The exit status is 0 unless a benchmark could not run: a budget that is missed shows in the
table, and a loaded machine is no failure.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    asgi,
    bundle,
    cold,
    export,
    first_sight,
    hits,
    issuer_requests,
    issuers,
    live_tokens,
    machine,
    metrics,
    personas,
    revocation,
    sites,
    stampede,
    startup,
    under_gunicorn,
    walks,
)
from benchmarks.measure import FULL, QUICK, Effort
from benchmarks.stage import silence_logs
from benchmarks.table import Row, format_rst, format_text

TOPICS: dict[str, Callable[[Effort], Iterator[Row]]] = {
    "asgi": asgi.run,
    "bundle": bundle.run,
    "cold": cold.run,
    "export": export.run,
    "first_sight": first_sight.run,
    "hits": hits.run,
    "issuer_requests": issuer_requests.run,
    "issuers": issuers.run,
    "live_tokens": live_tokens.run,
    "metrics": metrics.run,
    "personas": personas.run,
    "revocation": revocation.run,
    "sites": sites.run,
    "stampede": stampede.run,
    "startup": startup.run,
    "under_gunicorn": under_gunicorn.run,
    "walks": walks.run,
}

_RST = """\
.. Made by "python -m benchmarks --rst"; don't edit.

Benchmarks
==========

``make bench`` measures authmw and keystonemiddleware ("peer") in one run: the same app, the
same request and token, the same identity server and memcached. Every figure depends on the
machine, so compare the ratios. This was {effort} on {date}:

{table}

Calls are counted exactly, and inside the package alone (``python -m benchmarks.walks``).

Times of requests are what a filter adds to the bare app: medians over rounds in which each
contender has its turn, less the time of the bare app. The garbage collector is on; objects
from before the measurement are frozen. Times of starts, of issuers' tokens never seen and of
proofs are medians of processor time. "Cold" means that so many dicts, scattered over memory,
are read before each call, as a service's own code does between two requests. Under gunicorn
each contender has one worker, and wrk sends it requests over eight connections.

Measured on: {machine}.
"""


def main() -> int:
    """Measure what was asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"of {', '.join(TOPICS)}")
    parser.add_argument("--quick", action="store_true", help="within a minute, less precise")
    parser.add_argument("--rst", type=Path, metavar="FILE", help="write the table there as well")
    arguments = parser.parse_args()
    unknown = set(arguments.topics) - set(TOPICS)
    if unknown:
        parser.error(f"no such topic: {', '.join(sorted(unknown))}")
    silence_logs()
    effort = QUICK if arguments.quick else FULL
    rows: list[Row] = []
    failed: list[str] = []
    for topic in arguments.topics or TOPICS:
        print(f"{topic} ...", file=sys.stderr, flush=True)
        try:
            rows.extend(TOPICS[topic](effort))
        except Exception:  # noqa: BLE001 - the other topics can still be measured
            failed.append(topic)
            traceback.print_exc()
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    print(f"\n{machine.describe()}; {date}\n\n{format_text(rows)}")
    if failed:
        print(f"\ncould not run: {', '.join(failed)}")
    elif arguments.rst:
        arguments.rst.write_text(
            _RST.format(
                date=date,
                effort="a quick run" if arguments.quick else "a full run",
                machine=machine.describe(),
                table=format_rst(rows),
            )
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Run everything, print one table, and say whether all was as it must be."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from examples.real_services import documentation
from examples.real_services.documentation import EXPLANATION
from examples.real_services.outcome import Outcome
from examples.real_services.run_through import run_through
from examples.real_services.stage import set_up

DEADLINE_SECONDS = 600


def main() -> int:
    """Return the exit status: 0 if every request was answered as it must be."""
    parser = argparse.ArgumentParser(
        prog="python examples/real_services/run.py",
        description="Try authmw in front of real services, beside keystonemiddleware.",
    )
    parser.add_argument("--rst", type=Path, metavar="FILE", help="write the results there as well")
    arguments = parser.parse_args()
    begin = time.monotonic()
    _end_in_time()
    directory = Path(tempfile.mkdtemp(prefix="authmw-services-"))
    _keep_to(directory)
    print("starting Keystone and the services ...", flush=True)
    try:
        with set_up(directory) as stage:
            outcome = run_through(stage)
    except BaseException:
        print(f"services: failed; their logs are in {directory}", file=sys.stderr)
        raise
    changes = "\n\n".join(outcome.changes)
    print(f"\n{changes}\n\n{outcome.format_table()}\n\n{EXPLANATION}")
    print(f"this took {time.monotonic() - begin:.0f} s")
    return _conclude(outcome, directory, arguments.rst)


def _conclude(outcome: Outcome, directory: Path, rst: Path | None) -> int:
    if outcome.faults:
        print(*outcome.faults, f"services: failed; their logs are in {directory}", sep="\n")
        return 1
    shutil.rmtree(directory)
    if rst is not None:
        rst.write_text(documentation.render(outcome))
    print("services: ok")
    return 0


def _end_in_time() -> None:
    """Make an end by a signal, ours at the deadline included, stop what was started."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(f"ended by {signal.Signals(number).name}")

    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, end)
    signal.alarm(DEADLINE_SECONDS)


def _keep_to(directory: Path) -> None:
    """Have all processes leave nothing elsewhere and ask no proxy for 127.0.0.1."""
    temporary = directory / "tmp"
    temporary.mkdir()
    os.environ.update(TMPDIR=str(temporary), NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")


if __name__ == "__main__":
    sys.exit(main())

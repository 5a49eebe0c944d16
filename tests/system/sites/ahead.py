"""Runs a module in a process whose clock is ahead.

    python -m tests.system.sites.ahead SECONDS MODULE ARGUMENT...

libfaketime does not do: with it `time.sleep` fails in Python 3.11 (EINVAL of clock_nanosleep).
"""

from __future__ import annotations

import runpy
import sys
import time

import time_machine


def main() -> None:
    """Set the clock, and run the module with the other arguments."""
    time_machine.travel(time.time() + int(sys.argv[1]), tick=True).start()
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

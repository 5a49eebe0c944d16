"""Runs real filters beside the model for a while: python -m tests.system.model.soak [SECONDS]

Ends with exit status 1 and the shortest example found where the filter decided what the model
does not allow.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.system.model.estate import Park
from tests.system.model.machine import make_machine

_EXAMPLES_A_ROUND = 20
_STEPS = 60


def soak(seconds: float) -> dict[str, int]:
    """Run for so many seconds at least; return how often what was done.

    Raises:
        Difference: the filter decided what the model does not allow.
    """
    counts = {"rounds": 0, "examples": 0, "requests": 0, "decided": 0}
    give_up_at = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as directory, Park(Path(directory)) as park:
        machine = make_machine(park)
        while time.monotonic() < give_up_at:
            run_state_machine_as_test(machine, settings=make_settings(_EXAMPLES_A_ROUND, _STEPS))
            counts["rounds"] += 1
            counts["examples"] += _EXAMPLES_A_ROUND
        counts.update(machine.counts)
    return counts


def make_settings(examples: int, steps: int) -> settings:
    """Return how hypothesis is to draw what happens."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        # hypothesis sets it where the variable CI is set: every round would be the first again.
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )


def main() -> None:
    """Soak, and say what came of it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    counts = soak(seconds)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    sys.stdout.write(f"soak: no difference in {told}\n")


if __name__ == "__main__":
    main()

"""Python programs in processes of their own, run to their end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Of the repository."""


def run_python(
    *arguments: object,
    stdin: str = "",
    directory: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments and return what it printed; the test fails if it fails.

    Args:
        arguments: `-c` and a program, `-m` and a module, options.
        directory: where it runs.
        environ: its whole environment; None for ours.
        timeout: seconds.
    """
    finished = subprocess.run(
        [sys.executable, *map(str, arguments)],
        input=stdin,
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished

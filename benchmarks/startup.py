"""How long it takes to import a middleware and build a filter, each time in a new process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.measure import Effort
from benchmarks.stage import CannotMeasure, open_stage
from benchmarks.table import Row, share_of

_PROGRAM = Path(__file__).with_name("build_filter.py")
_TIMEOUT_SECONDS = 60
_MODULES = ("authmw", "keystonemiddleware.auth_token")
_MOST = 0.6

# Neither contender requires it. It comes with Keystone, and so with this environment, and
# where it is there keystoneauth1 loads it, and with it half of what the peer loads anyway.
_EXTRA = "osprofiler"


def run(effort: Effort) -> Iterator[Row]:
    """Yield two rows; nothing is asked of the identity server."""
    with open_stage() as stage, tempfile.TemporaryDirectory() as bytecode:
        conf = stage.server.service_credentials
        ours, peer = _measure(conf, effort, bytecode, hidden=_EXTRA)
        yield share_of("import and build a filter", ours, peer, at_most=_MOST, unit="ms")
        ours, peer = _measure(conf, effort, bytecode, hidden="")
        what = f"import and build a filter, {_EXTRA} installed"
        yield share_of(what, ours, peer, at_most=_MOST, unit="ms")


def _measure(
    conf: Mapping[str, str], effort: Effort, bytecode: str, *, hidden: str
) -> tuple[float, float]:
    times: dict[str, list[float]] = {module: [] for module in _MODULES}
    for start in range(effort.starts + 1):
        for module in _MODULES:
            milliseconds = _build_filter(module, conf, bytecode, hidden)
            # The first start compiles every module.
            if start:
                times[module].append(milliseconds)
    ours, peer = (statistics.median(times[module]) for module in _MODULES)
    return ours, peer


def _build_filter(module: str, conf: Mapping[str, str], bytecode: str, hidden: str) -> float:
    """Return the milliseconds from the first import to the finished filter."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environ |= {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONPATH": os.pathsep.join(sys.path)}
    options = [f"{name}={value}" for name, value in conf.items()]
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), module, hidden, *options],
        env=environ,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise CannotMeasure(f"{module} could not be built:\n{done.stderr}")
    return float(done.stdout)

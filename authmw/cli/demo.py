"""Show authmw at work: a protected service, an identity service, two dozen requests."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import signal
import tempfile
import threading
from pathlib import Path

from authmw.testing.demo.report import conclude, render_table
from authmw.testing.demo.scenes import play_scenes, render_invitation
from authmw.testing.demo.stage import Stage

_NEEDED = {"gunicorn": "gunicorn", "paste.deploy": "PasteDeploy"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `authmw demo`."""
    parser.add_argument(
        "--serve",
        action="store_true",
        help="keep the service running afterwards, and print curl lines to try",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 if every request got the expected response."""
    missing = [name for module, name in _NEEDED.items() if not _is_installed(module)]
    if missing:
        print(f"demo: needs {' and '.join(missing)}: pip install 'authmw[demo]'")
        return 2
    # On SIGTERM, stop everything that was started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _play(serve=arguments.serve)
    except KeyboardInterrupt:
        print("demo: interrupted")
        return 130


def _play(*, serve: bool) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="authmw-demo-") as directory,
        Stage(Path(directory)) as stage,
    ):
        outcomes = play_scenes(stage)
        last_line, status = conclude(outcomes)
        print(render_table(outcomes))
        if status:
            print(f"\nThe service's log:\n{stage.read_log()}")
        elif serve:
            print(f"\n{render_invitation(stage)}\n\nPress Ctrl-C to end.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
            print()
    print(last_line)
    return status


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False

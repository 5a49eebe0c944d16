"""Show authmw at work: a protected service, an identity service, two dozen requests."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
from pathlib import Path

from authmw.cli.output import complain, say, say_json, without_log
from authmw.runtime.extras import how_to_install, is_installed
from authmw.testing.demo.report import conclude, make_document, render_table
from authmw.testing.demo.scenes import play_scenes, render_invitation
from authmw.testing.demo.stage import Stage

_NEEDED = {"gunicorn": "gunicorn", "paste.deploy": "PasteDeploy"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `authmw demo`."""
    parser.add_argument(
        "--serve",
        action="store_true",
        help="keep the service running afterwards, print curl lines to try, and serve a page that "
        "shows each step of the middleware",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document (without --serve)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 if every request got the expected response."""
    missing = [name for module, name in _NEEDED.items() if not is_installed(module)]
    if missing:
        complain(f"demo: needs {' and '.join(missing)}: {how_to_install('demo')}")
        return 2
    if arguments.serve and arguments.json:
        complain("demo: --serve and --json exclude each other")
        return 2
    # On SIGTERM, stop everything that was started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _play(serve=arguments.serve, is_json=arguments.json)
    except KeyboardInterrupt:
        complain("demo: interrupted")
        return 130


def _play(*, serve: bool, is_json: bool) -> int:
    # Some seconds pass before the table, which stands on standard output alone.
    complain("demo: starting an identity service, an OIDC issuer and gunicorn with a service ...")
    with (
        tempfile.TemporaryDirectory(prefix="authmw-demo-") as directory,
        Stage(Path(directory)) as stage,
    ):
        outcomes = play_scenes(stage, report=_report_progress)
        last_line, status = conclude(outcomes)
        if is_json:
            say_json(make_document(outcomes))
            return status
        say(render_table(outcomes))
        if status:
            say(f"\nThe service's log:\n{stage.read_log()}")
        elif serve:
            _serve(stage, Path(directory, "playground"))
    say(last_line)
    return status


def _serve(stage: Stage, directory: Path) -> None:
    from authmw.playground.server import Playground

    directory.mkdir()
    # The page shows what the log would say.
    with without_log(), Playground(directory) as playground:
        say(f"\n{render_invitation(stage)}")
        say(f"The playground, for a browser: {playground.url}\n\nPress Ctrl-C to end.")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
        say()


def _report_progress(done: int, planned: int) -> None:
    # Where nobody looks on, the same line again and again says nothing.
    if sys.stderr.isatty():
        sys.stderr.write(
            f"\rdemo: {done} of {planned} requests" + ("\n" if done == planned else "")
        )
        sys.stderr.flush()

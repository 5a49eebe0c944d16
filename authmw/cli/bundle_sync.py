"""`authmw bundle sync`, and `authmw bundle status` of a site."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authmw.cli.output import log_to_standard_error, say, say_json
from authmw.errors import UsageError
from authmw.runtime.extras import how_to_install, is_installed

if TYPE_CHECKING:
    from authmw.bundle.sync.configuration import SyncConfiguration

DESCRIPTION = """\
Fetches the part of a site from where its centre publishes it, verifies it (TUF) and puts it in
force, again and again until it gets SIGTERM. What fails never takes away what is in force. Exit
status 0: ended by a signal, or with --once: all is up to date; 1: with --once: it failed; another
process syncs this bundle; 2: the arguments or the file are wrong.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `authmw bundle sync`."""
    parser.add_argument("file", metavar="SYNC.toml", help="says where from, and where to")
    parser.add_argument("--once", action="store_true", help="sync once, and say whether it worked")


def run(arguments: argparse.Namespace) -> int:
    """Sync; return the exit status."""
    from authmw.bundle.sync.errors import AlreadyRunning

    configuration = _read(arguments.file)
    from authmw.bundle.sync.process import listening, opened, run_until_stopped

    with log_to_standard_error():
        try:
            with opened(configuration) as service:
                if arguments.once:
                    return 0 if service.attempt() else 1
                with listening(configuration, service.wake):
                    run_until_stopped(service)
        except AlreadyRunning as error:
            logging.getLogger(__name__).error("%s", error)
            return 1
    return 0


def _read(path: str) -> SyncConfiguration:
    if not is_installed("tuf"):
        raise UsageError(f"this needs python-tuf: {how_to_install('sites')}")
    from authmw.bundle.sync.configuration import read_sync_configuration

    return read_sync_configuration(Path(path))


def show_status(path: str, *, as_json: bool) -> int:
    """Say how a site is; return 0, or 1 if anything is stale.

    Args:
        path: of the TOML file of a site.
        as_json: one document instead of lines.
    """
    from authmw.bundle.sync.status import make_report

    configuration = _read(path)
    report = make_report(configuration.bundle, time.time())
    if report is None:
        raise UsageError(
            f"no sync process has been at {configuration.bundle} yet: authmw bundle sync {path}"
        )
    if as_json:
        say_json(report.document)
    else:
        _show(report.document)
        for each in report.expiring:
            say(f"soon: {each}")
        for each in report.stale:
            say(f"stale: {each}")
    return 1 if report.stale else 0


def _show(document: Any) -> None:
    from authmw.bundle.sync.status import show_time

    def moment(name: str) -> str:
        value = document[name]
        return "never" if value is None else show_time(value)

    say(f"{document['site']}: {document['bundle']}")
    say(
        f"revision {document['revision']}, confirmed as {document['confirmed_revision']}, facts of "
        f"{moment('confirmed_read_at')} ({document['age_seconds']} s)"
    )
    say(f"events of {moment('events_read_at')} ({document['events_age_seconds']} s)")
    say(f"last success {moment('last_success_at')}, next look {moment('next_poll_at')}")
    if document["failure"] is not None:
        say(f"last failure {moment('last_failure_at')}: {document['failure']}")
    for role, state in document["metadata"].items():
        say(f"  {role} {state['version']} expires {show_time(state['expires_at'])}")

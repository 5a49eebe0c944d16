"""Export, inspect, compare and explain authority bundles."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from authmw.cli import bundle_centre, bundle_export, bundle_reading, bundle_sync
from authmw.cli.output import complain
from authmw.errors import AuthmwError, ConfigurationError, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `authmw bundle`."""
    commands = parser.add_subparsers(
        dest="bundle_command", required=True, title="commands", metavar="COMMAND"
    )
    summary = "Read the facts from Keystone's database, or from its API, and write a bundle."
    command = commands.add_parser("export", help=summary, description=bundle_export.DESCRIPTION)
    bundle_export.add_arguments(command)
    bundle_reading.add_commands(commands)
    bundle_centre.add_commands(commands)
    summary = "Keep a site's bundle up to date with what its centre publishes."
    command = commands.add_parser("sync", help=summary, description=bundle_sync.DESCRIPTION)
    bundle_sync.add_arguments(command)
    summary = "Say how a centre or a site is, and what needs a hand."
    command = commands.add_parser(
        "status", help=summary, description=f"{summary} Exit status 1: something does."
    )
    command.add_argument("file", metavar="FILE.toml", help="of a centre, or of a site")
    command.add_argument("--json", action="store_true", help="print JSON")


def _show_status(arguments: argparse.Namespace) -> int:
    # Imported here: the other commands need none of it.
    from authmw.bundle.sites.toml_file import is_site_file

    if is_site_file(Path(arguments.file)):
        return bundle_sync.show_status(arguments.file, as_json=arguments.json)
    return bundle_centre.show_status(arguments.file, as_json=arguments.json)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "export": bundle_export.run,
    "inspect": bundle_reading.inspect,
    "diff": bundle_reading.diff,
    "explain": bundle_reading.explain,
    "init": bundle_centre.init,
    "publish": bundle_centre.publish,
    "rotate": bundle_centre.rotate,
    "sign": bundle_centre.sign,
    "sync": bundle_sync.run,
    "status": _show_status,
}


def run(arguments: argparse.Namespace) -> int:
    """Run it; return 0 for success, 1 if a file or a server fails, 2 if the arguments are wrong.

    `diff` returns 1 if the bundles differ, and 2 for any failure, as diff(1) does.
    """
    failed = 2 if arguments.bundle_command == "diff" else 1
    try:
        return _COMMANDS[arguments.bundle_command](arguments)
    except (ConfigurationError, UsageError) as error:
        return _fail(str(error), 2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", failed)
    except AuthmwError as error:
        return _fail(str(error), failed)


def _fail(text: str, status: int) -> int:
    complain(f"bundle: {text}")
    return status

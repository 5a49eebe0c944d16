"""The `authmw` command line: parses arguments, and runs the module of the subcommand."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from authmw import __version__
from authmw.cli.output import OutputLost, complain, finish


class Command(Protocol):
    """A module of this package that is a subcommand; its docstring starts with the summary."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the subcommand's own arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the subcommand; return the exit status."""


# 128 + SIGINT, as of other programs.
_INTERRUPTED = 130

_COMMANDS = ("bundle", "demo", "doctor", "keys", "policy", "token")
"""The modules of this package that are subcommands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: of the command line, without the program's name; sys.argv's if None.

    Returns:
        The exit status: 0 for success; see doc/commands.rst.
    """
    written = sys.argv[1:] if arguments is None else arguments
    # Each imports much, so only the one that is asked for is loaded, if any is.
    named = [name for name in written[:1] if name in _COMMANDS]
    modules = {name: _load(name) for name in named or _COMMANDS}
    chosen = _make_parser(modules).parse_args(arguments)
    try:
        status = modules[chosen.command].run(chosen)
        finish()
    except OutputLost as lost:
        if lost.reason:
            complain(f"authmw: {lost.reason}")
        return lost.status
    except KeyboardInterrupt:
        complain("authmw: interrupted")
        return _INTERRUPTED
    return status


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands, for what describes them (the manual page)."""
    return _make_parser({name: _load(name) for name in _COMMANDS})


def _make_parser(modules: dict[str, Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="authmw",
        description="Tools that come with authmw.",
        epilog="`python -m authmw.testing` serves an identity service, or an OAuth2 issuer, for "
        "experiments; see its --help.",
    )
    parser.add_argument("--version", action="version", version=f"authmw {__version__}")
    subcommands = parser.add_subparsers(
        dest="command", required=True, title="commands", metavar="COMMAND"
    )
    for name, module in modules.items():
        description = module.__doc__ or ""
        subparser = subcommands.add_parser(
            name, help=description.splitlines()[0], description=description
        )
        module.add_arguments(subparser)
    return parser


def _load(name: str) -> Command:
    return cast(Command, importlib.import_module(f"authmw.cli.{name}"))

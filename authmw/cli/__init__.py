"""The `authmw` command; each subcommand is a module of this package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Protocol

from authmw import __version__
from authmw.cli import demo, keys, token


class Command(Protocol):
    """What a module of this package offers; its docstring's first line is the summary."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the subcommand's own arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return the exit status."""


_COMMANDS: dict[str, Command] = {"demo": demo, "keys": keys, "token": token}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: of the command line, without the program's name; sys.argv's if None.

    Returns:
        The exit status: 0 if all is well.
    """
    parser = argparse.ArgumentParser(prog="authmw", description="Tools that come with authmw.")
    parser.add_argument("--version", action="version", version=f"authmw {__version__}")
    subcommands = parser.add_subparsers(
        dest="command", required=True, title="commands", metavar="COMMAND"
    )
    for name, module in _COMMANDS.items():
        description = module.__doc__ or ""
        subparser = subcommands.add_parser(
            name, help=description.splitlines()[0], description=description
        )
        module.add_arguments(subparser)
    chosen = parser.parse_args(arguments)
    return _COMMANDS[chosen.command].run(chosen)

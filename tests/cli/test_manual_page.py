"""doc/man/authmw.1 has every command and every option."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from authmw.cli.command import make_parser
from tests.support.programs import ROOT


def walk(parser: argparse.ArgumentParser) -> Iterator[tuple[str, set[str]]]:
    """Yield each command and its options."""
    options: set[str] = set()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from walk(each)
        else:
            options.update(action.option_strings)
    yield parser.prog, options - {"-h", "--help"}


COMMANDS = dict(walk(make_parser()))
# As it is written in a manual page: hyphens that are not to be broken are escaped.
PAGE = (ROOT / "doc" / "man" / "authmw.1").read_text().replace("\\-", "-")


@pytest.mark.parametrize("command", COMMANDS)
def test_manual_page_has_the_command_and_its_options(command: str) -> None:
    if command == "authmw":
        section = PAGE
    else:
        assert f".SS \\fB{command}\\fR\n" in PAGE, "doc/man/authmw.1 is old: `make man`"
        section = PAGE.split(f".SS \\fB{command}\\fR\n")[1].split(".SS ")[0]
    missing = [each for each in COMMANDS[command] if f"\\fB{each}\\fR" not in section]
    assert not missing, "doc/man/authmw.1 is old: `make man`"

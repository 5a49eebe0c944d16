"""Explain a signed token: who signed it, what it says, why it is accepted or refused."""

from __future__ import annotations

import argparse
import sys
import time

from authmw.cli.explanation import Explanation, explain
from authmw.cli.issuer_explanation import explain_by_issuer
from authmw.cli.key_sources import add_key_source_arguments, read_keys, read_settings
from authmw.config.settings import Settings
from authmw.errors import ConfigurationError, KeysUnavailable

# Far longer than any header.
_MOST_CHARACTERS = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `authmw token`."""
    commands = parser.add_subparsers(
        dest="token_command", required=True, title="commands", metavar="COMMAND"
    )
    command = commands.add_parser(
        "explain",
        help="Say which key verifies a token, what it claims, and what a service would do with it.",
        description=(
            "Explains a signed token: neither the identity service nor an issuer is asked about "
            "it, but an issuer's keys are fetched where its tokens' are. Exit status 0: accepted, "
            "1: refused, 2: the token could not be judged. Neither the token nor its signature is "
            "ever printed."
        ),
    )
    command.add_argument(
        "token",
        nargs="?",
        default="-",
        help="the token; better left out, or -, to give it on standard input: other users of "
        "this host can see the arguments of a command, and shells remember them",
    )
    add_key_source_arguments(command, "--key-repository", metavar="DIR")


def run(arguments: argparse.Namespace) -> int:
    """Explain the token; return 0 if it is accepted, 1 if refused, 2 if it cannot be judged."""
    try:
        settings = read_settings(arguments.key_repository, arguments.config_file)
    except ConfigurationError as error:
        print(f"token: {error}", file=sys.stderr)
        return 2
    token = _read_token() if arguments.token == "-" else arguments.token.strip()
    if not token:
        print("token: there is none on standard input", file=sys.stderr)
        return 2
    if arguments.token != "-":
        print("token: given as an argument; standard input would be safer", file=sys.stderr)
    try:
        explanation = _explain(token, settings)
    except (ConfigurationError, KeysUnavailable) as error:
        print(f"token: {error}", file=sys.stderr)
        return 2
    print(explanation.render())
    return 0 if explanation.is_accepted else 1


def _explain(token: str, settings: Settings) -> Explanation:
    now = time.time()
    explanation = explain_by_issuer(token, settings, now) if settings.issuers else None
    if explanation is None:
        explanation = explain(token, read_keys(settings), settings, now)
    return explanation


def _read_token() -> str:
    if sys.stdin.isatty():
        print("Paste the token, press Enter and Ctrl-D:", file=sys.stderr)
    return sys.stdin.read(_MOST_CHARACTERS).strip()

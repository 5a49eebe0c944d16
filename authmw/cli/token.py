"""Explain or validate a token: who signed it, what it says, why it is accepted or refused."""

from __future__ import annotations

import argparse
import time

from authmw.cli.explanation import Explanation, explain
from authmw.cli.issuer_explanation import explain_by_issuer
from authmw.cli.key_sources import add_key_source_arguments, read_keys, read_settings
from authmw.cli.output import complain, say, say_json, without_log
from authmw.cli.token_input import read_token
from authmw.cli.validation import make_run_document, render_run
from authmw.config.settings import Settings
from authmw.doctor.sources import read_source
from authmw.doctor.steps import run_filter
from authmw.errors import ConfigurationError, KeysUnavailable

_TOKEN_HELP = (
    "the token; better left out, or -, to give it on standard input: other users of this host can "
    "see the arguments of a command, and shells remember them"
)


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
    command.add_argument("token", nargs="?", default="-", help=_TOKEN_HELP)
    add_key_source_arguments(command, "--key-repository", metavar="DIR")
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command = commands.add_parser(
        "validate",
        help="Validate a token as the service would, and show each step and its time.",
        description=(
            "Gives a request with the token to the service's own filter, which asks the identity "
            "service, memcached and issuers as it does in the service, and shows what each step "
            "decided and how long it took. Exit status 0: accepted, 1: refused, 2: it could not be "
            "validated. The token is never printed."
        ),
    )
    command.add_argument("token", nargs="?", default="-", help=_TOKEN_HELP)
    command.add_argument("--config-file", action="append", default=[], metavar="FILE")
    command.add_argument("--paste", metavar="FILE#SECTION")
    command.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Run it; return 0 if the token is accepted, 1 if refused, 2 if it cannot be judged."""
    if arguments.token_command == "validate":
        # What the log would say is in the steps.
        with without_log():
            return _validate(arguments)
    try:
        settings = read_settings(arguments.key_repository, arguments.config_file)
    except ConfigurationError as error:
        complain(f"token: {error}")
        return 2
    token = read_token(arguments.token, "token")
    if token is None:
        return 2
    try:
        explanation = _explain(token, settings)
    except (ConfigurationError, KeysUnavailable) as error:
        complain(f"token: {error}")
        return 2
    if arguments.json:
        say_json(explanation.make_document())
    else:
        say(explanation.render())
    return 0 if explanation.is_accepted else 1


def _explain(token: str, settings: Settings) -> Explanation:
    now = time.time()
    explanation = explain_by_issuer(token, settings, now) if settings.issuers else None
    if explanation is None:
        explanation = explain(token, read_keys(settings), settings, now)
    return explanation


def _validate(arguments: argparse.Namespace) -> int:
    if not arguments.config_file and arguments.paste is None:
        complain("token: name the configuration: --config-file FILE, --paste FILE#SECTION or both")
        return 2
    token = read_token(arguments.token, "token")
    if token is None:
        return 2
    try:
        source = read_source(arguments.config_file, arguments.paste)
        done = run_filter(source.conf, token)
    except ConfigurationError as error:
        complain(f"token: {error}")
        return 2
    if arguments.json:
        say_json(make_run_document(done, token))
    else:
        say(render_run(done, token, time.time()))
    return {200: 0, 401: 1}.get(done.status, 2)

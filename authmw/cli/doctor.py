"""Find out what is wrong with a deployment: cause and fix, check by check."""

from __future__ import annotations

import argparse

from authmw.cli.output import complain, say, say_json, without_log
from authmw.cli.token_input import read_token
from authmw.doctor.examination import examine
from authmw.doctor.migration import prepare_migration
from authmw.doctor.report import exit_status, make_document, render, summarize
from authmw.doctor.result import Result
from authmw.doctor.sources import Source, read_source
from authmw.doctor.upgrade_report import (
    FAILED_TO_CHECK,
    make_upgrade_document,
    render_upgrade,
    upgrade_status,
)
from authmw.errors import ConfigurationError

_COULD_NOT_ASK = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `authmw doctor`."""
    parser.description = (
        "Does what the filter does at start and for a request, one step at a time, and says of "
        "each whether it went well, what is wrong and how to correct it. Run it on the service's "
        "host, as the service's user, with its environment. Exit status 0: no failure, 1: a "
        "failure, 2: it could not ask. With --before-migration 0: success, 1: a warning, 2: a "
        "failure, 255: it could not look. No secret is ever printed."
    )
    parser.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="a configuration file of the service; may be given several times",
    )
    parser.add_argument(
        "--paste",
        metavar="FILE#SECTION",
        help="the filter's section of the paste file, whose options override the file's",
    )
    parser.add_argument(
        "--token",
        metavar="-",
        help="also validate a token: - reads it from standard input",
    )
    parser.add_argument(
        "--service",
        metavar="URL",
        help="where clients reach the service, behind the filter: it is asked twice, without a "
        "token and with one as long as max_token_size (default: public_endpoint)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--before-migration",
        action="store_true",
        help="read a configuration of keystonemiddleware, ask nobody, and say option by option "
        "what will change, as a check before an upgrade (oslo.upgradecheck)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the checks, or those before a migration; return the exit status."""
    # Each check says what the log would say of it.
    with without_log():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    could_not = FAILED_TO_CHECK if arguments.before_migration else _COULD_NOT_ASK
    if not arguments.config_file and arguments.paste is None:
        complain("doctor: name the configuration: --config-file FILE, --paste FILE#SECTION or both")
        return could_not
    try:
        source = read_source(arguments.config_file, arguments.paste)
    except ConfigurationError as error:
        complain(f"doctor: {error.option} {error.value}: {error.fix}")
        return could_not
    if arguments.before_migration:
        return _prepare(source, is_json=arguments.json)
    token = None
    if arguments.token is not None:
        token = read_token(arguments.token, "doctor")
        if token is None:
            return _COULD_NOT_ASK
    results: list[Result] = []
    for result in examine(source, token=token, service=arguments.service):
        results.append(result)
        if not arguments.json:
            say(render([result]))
    if arguments.json:
        say_json(make_document(results))
    else:
        say(summarize(results))
    return exit_status(results)


def _prepare(source: Source, *, is_json: bool) -> int:
    results = list(prepare_migration(source))
    if is_json:
        say_json(make_upgrade_document(results))
    else:
        say(render_upgrade(results))
    return upgrade_status(results)

"""Make, list and check the public keys that verify signed tokens."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from authmw.cli.key_pair import write_key_pair
from authmw.cli.key_sources import add_key_source_arguments, read_keys, read_settings
from authmw.cli.output import complain, say, say_json
from authmw.doctor.keys import find_key_faults
from authmw.errors import ConfigurationError, KeysUnavailable
from authmw.jose.public_key import PublicKey
from authmw.keys.source import FoundKeys

_JSON_HELP = "print one JSON document"
_LONGEST_KID = 100
_COLUMNS = ("FILE", "ALGORITHM", "KID", "THUMBPRINT", "USED")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `authmw keys`."""
    commands = parser.add_subparsers(
        dest="keys_command", required=True, title="commands", metavar="COMMAND"
    )
    summary = "Make an ES256 key pair as Keystone needs it: private.pem and public.pem."
    generate = commands.add_parser("generate", help=summary, description=summary)
    generate.add_argument("directory", help="made if missing; no file in it is overwritten")
    generate.add_argument("--json", action="store_true", help=_JSON_HELP)
    for name, summary in (
        ("list", "Show each public key, and whether a service would use it."),
        ("check", "Say what is wrong with public keys; exit status 1 if anything is."),
    ):
        command = commands.add_parser(name, help=summary, description=summary)
        add_key_source_arguments(command, "directory", nargs="?")
        command.add_argument("--json", action="store_true", help=_JSON_HELP)


def run(arguments: argparse.Namespace) -> int:
    """Run it; return 0 for success, 1 if the keys are faulty, 2 if the arguments are."""
    if arguments.keys_command == "generate":
        return _generate(arguments.directory, is_json=arguments.json)
    try:
        settings = read_settings(arguments.directory, arguments.config_file)
        found = read_keys(settings)
    except ConfigurationError as error:
        complain(f"keys: {error}")
        return 2
    except KeysUnavailable as error:
        complain(f"keys: {error}")
        return 1
    accepted = settings.jws_accepted_algorithms
    if arguments.keys_command == "list":
        if arguments.json:
            say_json(_make_document(found, accepted))
        else:
            _print_table([_describe(key, accepted) for key in found.keys], found)
        return 0
    return _check(found, accepted, settings.jws_max_keys, is_json=arguments.json)


def _generate(directory: str, *, is_json: bool) -> int:
    try:
        private, public = write_key_pair(directory)
    except FileExistsError as error:
        complain(f"keys: {error.filename} exists, and nothing is overwritten")
        return 1
    except OSError as error:
        complain(f"keys: {error.filename or directory}: {error.strerror}")
        return 1
    if is_json:
        say_json({"private": str(private), "public": str(public)})
        return 0
    say(f"{private}  the private key: Keystone's alone (jws_private_key_repository)")
    say(f"{public}  the public key: for Keystone and every service")
    say(
        "Distribute the public key everywhere, under a name of its own, before Keystone signs "
        "with the private one."
    )
    return 0


def _check(found: FoundKeys, accepted: Sequence[str], max_keys: int, *, is_json: bool) -> int:
    problems = [fault.cause for fault in find_key_faults(found, accepted, max_keys)]
    used = [key for key in found.keys if key.algorithm.name in accepted]
    if is_json:
        say_json({"keys": len(used), "problems": problems})
        return 1 if problems else 0
    for problem in problems:
        say(f"problem: {problem}")
    if not problems:
        say(f"ok: {len(used)} public {'key' if len(used) == 1 else 'keys'}")
    return 1 if problems else 0


def _make_document(found: FoundKeys, accepted: Sequence[str]) -> dict[str, object]:
    return {
        "keys": [
            {
                "file": key.source,
                "algorithm": key.algorithm.name,
                "kid": key.kid,
                "thumbprint": key.thumbprint,
                "used": key.algorithm.name in accepted,
            }
            for key in found.keys
        ],
        "skipped": [{"file": one.source, "reason": one.reason} for one in found.skipped],
        "warnings": list(found.warnings),
    }


def _describe(key: PublicKey, accepted: Sequence[str]) -> tuple[str, ...]:
    use = _describe_use(key, accepted)
    # A JWK set may hold any text; this goes to a terminal.
    kid = "-" if key.kid is None else json.dumps(key.kid)[1:-1][:_LONGEST_KID]
    return key.source, key.algorithm.name, kid, key.thumbprint, use


def _describe_use(key: PublicKey, accepted: Sequence[str]) -> str:
    name = key.algorithm.name
    return "yes" if name in accepted else f"{name} is not in jws_accepted_algorithms"


def _print_table(rows: Sequence[tuple[str, ...]], found: FoundKeys) -> None:
    skipped = [(one.source, "-", "-", "-", f"no: {one.reason}") for one in found.skipped]
    table = [_COLUMNS, *rows, *skipped]
    widths = [max(len(row[column]) for row in table) for column in range(len(_COLUMNS) - 1)]
    for row in table:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  ".join([*padded, row[-1]]))
    for warning in found.warnings:
        say(f"warning: {warning}")

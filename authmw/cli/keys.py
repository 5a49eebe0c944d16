"""Make, list and check the public keys that verify signed tokens."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from authmw.cli.key_pair import write_key_pair
from authmw.cli.key_sources import add_key_source_arguments, read_keys, read_settings
from authmw.errors import ConfigurationError, KeysUnavailable
from authmw.jose.key_set import KeySet
from authmw.jose.public_key import PublicKey
from authmw.keys.source import FoundKeys

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
    for name, summary in (
        ("list", "Show each public key, and whether a service would use it."),
        ("check", "Say what is wrong with public keys; exit status 1 if anything is."),
    ):
        command = commands.add_parser(name, help=summary, description=summary)
        add_key_source_arguments(command, "directory", nargs="?")


def run(arguments: argparse.Namespace) -> int:
    """Run it; return 0 for success, 1 if the keys are faulty, 2 if the arguments are."""
    if arguments.keys_command == "generate":
        return _generate(arguments.directory)
    try:
        settings = read_settings(arguments.directory, arguments.config_file)
        found = read_keys(settings)
    except ConfigurationError as error:
        print(f"keys: {error}", file=sys.stderr)
        return 2
    except KeysUnavailable as error:
        print(f"keys: {error}", file=sys.stderr)
        return 1
    accepted = settings.jws_accepted_algorithms
    if arguments.keys_command == "list":
        _print_table([_describe(key, accepted) for key in found.keys], found)
        return 0
    return _check(found, accepted, settings.jws_max_keys)


def _generate(directory: str) -> int:
    try:
        private, public = write_key_pair(directory)
    except FileExistsError as error:
        print(f"keys: {error.filename} exists, and nothing is overwritten", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"keys: {error.filename or directory}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{private}  the private key: Keystone's alone (jws_private_key_repository)")
    print(f"{public}  the public key: for Keystone and every service")
    print(
        "Distribute the public key everywhere, under a name of its own, before Keystone signs "
        "with the private one."
    )
    return 0


def _check(found: FoundKeys, accepted: Sequence[str], max_keys: int) -> int:
    problems = [f"{skipped.source} is not used: {skipped.reason}" for skipped in found.skipped]
    problems += found.warnings
    used = [key for key in found.keys if key.algorithm.name in accepted]
    problems += [
        f"{key.source} is not used: {_describe_use(key, accepted)}"
        for key in found.keys
        if key not in used
    ]
    problems += KeySet(used).describe_surplus(accepted, max_keys)
    if not used:
        problems.append("there is no usable public key: every signed token would get 503")
    for problem in problems:
        print(f"problem: {problem}")
    if not problems:
        print(f"ok: {len(used)} public {'key' if len(used) == 1 else 'keys'}")
    return 1 if problems else 0


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
        print("  ".join([*padded, row[-1]]))
    for warning in found.warnings:
        print(f"warning: {warning}")

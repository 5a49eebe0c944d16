"""`authmw bundle export`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from authmw.cli.output import say, say_json
from authmw.cli.progress import Progress
from authmw.errors import UsageError

if TYPE_CHECKING:
    from authmw.bundle.export.api_client import ApiClient
    from authmw.bundle.export.opening import OpenDatabase
    from authmw.bundle.export.source import FactsSource
    from authmw.bundle.file import Header
    from authmw.bundle.keystone_configuration import KeystoneConfiguration

DESCRIPTION = """\
Reads the facts that decide what a token may do, and writes them to a bundle: from Keystone's
database (or a replica of it) in one snapshot, or with --api from its API. Passwords, secrets and
hashes are never read. Exit status 0: written; 1: the database, the API or the file failed, and a
bundle that was there is still there; 2: the arguments or a configuration file are wrong.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("output", metavar="BUNDLE", help="the file to write, or to replace")
    parser.add_argument(
        "--keystone-config",
        metavar="FILE",
        action="append",
        default=[],
        help="keystone.conf; may be repeated. It names the database, and has what the database "
        "does not say, such as the admin project",
    )
    parser.add_argument(
        "--connection-file",
        metavar="FILE",
        help="a file whose first line is the URL of another database, such as a replica; it "
        "overrides [database] connection",
    )
    parser.add_argument(
        "--config-file",
        metavar="FILE",
        help="a service's configuration file, whose [keystone_authtoken] has credentials that may "
        "list everything: to read users of directories (LDAP), and for --api",
    )
    parser.add_argument(
        "--api",
        action="store_true",
        help="read from Keystone's API and not from its database: for at most some 5,000 "
        "assignments; what changes meanwhile may be read half",
    )
    for name, what in (
        ("domain", "only this domain, with its projects"),
        ("project", "only this project, with those below it"),
        ("region", "only endpoints in this region, and those in none"),
    ):
        parser.add_argument(
            f"--{name}", metavar="ID", action="append", default=[], help=f"{what}; may be repeated"
        )
    parser.add_argument(
        "--revision",
        type=_revision,
        help="the number of the revision; one more than that of the bundle there, unless given",
    )
    parser.add_argument("--json", action="store_true", help="say what was written as JSON")


def _revision(text: str) -> int:
    number = int(text)
    if not 0 < number < 1 << 63:
        raise argparse.ArgumentTypeError("a positive integer")
    return number


def run(arguments: argparse.Namespace) -> int:
    """Export; return the exit status."""
    _verify_arguments(arguments)
    from authmw.bundle.export.opening import complete_from, open_client, read_configuration
    from authmw.bundle.export.source import export
    from authmw.bundle.file import Origin

    path = Path(arguments.output)
    revision = arguments.revision or _next_revision(path)
    configuration = read_configuration(arguments.keystone_config)
    with contextlib.ExitStack() as stack:
        client = (
            stack.enter_context(
                open_client(arguments.config_file, path.with_name(f"{path.name}.answers"))
            )
            if arguments.config_file
            else None
        )
        opened = stack.enter_context(_open_source(arguments, configuration, client))
        progress = stack.enter_context(Progress(opened.row_count))
        if client is not None:
            client.on_request = lambda what: progress.add(what, 0)
        source = stack.enter_context(_select(opened.source, arguments))
        header = export(
            source,
            path,
            Origin(
                revision=revision,
                read_at=source.read_at,
                source=opened.name,
                revocation_polled_at=source.read_at,
                revocation_complete_from=complete_from(source.read_at, configuration),
            ),
            progress.add,
        )
        if client is not None:
            client.forget()
    _report(path, header, progress.seconds, as_json=arguments.json)
    return 0


def _verify_arguments(arguments: argparse.Namespace) -> None:
    from authmw.bundle.export.opening import verify_database_readable

    if arguments.api:
        if not arguments.config_file:
            raise UsageError("--api needs --config-file: a file with credentials")
        if arguments.connection_file:
            raise UsageError("--api reads no database: leave out --connection-file")
    else:
        if not arguments.keystone_config:
            raise UsageError("name Keystone's configuration file: --keystone-config")
        verify_database_readable()


def _next_revision(path: Path) -> int:
    from authmw.bundle.file import open_bundle

    if not path.exists():
        return 1
    with open_bundle(path) as bundle:
        return bundle.header.origin.revision + 1


@contextlib.contextmanager
def _open_source(
    arguments: argparse.Namespace,
    configuration: KeystoneConfiguration,
    client: ApiClient | None,
) -> Iterator[OpenDatabase]:
    from authmw.bundle.export.opening import OpenDatabase, open_database

    if not arguments.api:
        file = Path(arguments.connection_file) if arguments.connection_file else None
        with open_database(configuration, file, client) as database:
            yield database
        return
    from authmw.bundle.export.api import ApiFacts

    assert client is not None  # noqa: S101
    facts = ApiFacts(client, configuration.facts)
    yield OpenDatabase(facts, "the Identity API (no consistent cut)", 0)


@contextlib.contextmanager
def _select(source: FactsSource, arguments: argparse.Namespace) -> Iterator[FactsSource]:
    from authmw.bundle.export.selection import Filter, Selection

    chosen = Filter(tuple(arguments.domain), tuple(arguments.project), tuple(arguments.region))
    if not chosen.setting:
        yield source
        return
    with Selection(source, chosen) as selection:
        yield selection


def _report(path: Path, header: Header, seconds: float, *, as_json: bool) -> None:
    size = path.stat().st_size
    if as_json:
        written = {
            "bundle": str(path),
            "revision": header.origin.revision,
            "digest": header.digest.hex(),
            "read_at": header.origin.read_at,
            "rows": header.row_count,
            "bytes": size,
            "seconds": round(seconds, 3),
        }
        say_json(written)
        return
    say(
        f"{path}: revision {header.origin.revision}, {header.row_count:,} rows, {size:,} bytes, "
        f"in {seconds:.1f} s ({header.row_count / max(seconds, 0.001):,.0f} rows/s)"
    )
    say(f"digest {header.digest.hex()}")

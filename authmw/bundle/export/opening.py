"""Opens what an export reads: Keystone's database, and its API for users of directories."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from authmw.bundle.export.api_client import ApiClient
from authmw.bundle.export.directory_users import DirectoryUsers
from authmw.bundle.export.reading import open_snapshot
from authmw.bundle.export.source import FactsSource
from authmw.bundle.keystone_configuration import KeystoneConfiguration, read_keystone_configuration
from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings
from authmw.errors import BundleUnreadable, ConfigurationError, UsageError
from authmw.runtime.extras import how_to_install, is_installed


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """One state of a database.

    Attributes:
        source: of the facts.
        name: what it is, for people.
        row_count: about how many rows the large tables have.
    """

    source: FactsSource
    name: str
    row_count: int


def verify_database_readable() -> None:
    """Raise UsageError if the package is missing that reads databases."""
    if not is_installed("sqlalchemy"):
        raise UsageError(f"reading a database needs SQLAlchemy: {how_to_install('bundle')}")


def read_configuration(paths: Sequence[str]) -> KeystoneConfiguration:
    """Read Keystone's configuration files. Raises UsageError: one can't be read."""
    try:
        return read_keystone_configuration(paths)
    except BundleUnreadable as error:
        raise UsageError(str(error)) from error


@contextlib.contextmanager
def open_client(config_file: str, answers: Path) -> Iterator[ApiClient]:
    """Open the API with the credentials of a service's configuration file.

    Args:
        config_file: of the service.
        answers: the file that remembers answers.

    Raises:
        ConfigurationError: the file can't be read, or has no credentials.
    """
    settings = load_settings({"oslo_config_project": "authmw", "oslo_config_file": config_file})
    plugin = load_auth_plugin(settings.auth)
    if plugin is None:
        raise ConfigurationError("auth_type", None, "name the credentials to list users with")
    with ApiClient(settings, plugin, answers) as client:
        yield client


@contextlib.contextmanager
def open_database(
    configuration: KeystoneConfiguration,
    connection_file: Path | None,
    client: ApiClient | None = None,
    *,
    read_ahead: bool = True,
) -> Iterator[OpenDatabase]:
    """Open one state of Keystone's database; it ends with the context.

    Args:
        configuration: of Keystone.
        connection_file: a file whose first line is the URL of another database; None: the one that
            the configuration names.
        client: lists users of directories; None: they are not resolved.
        read_ahead: in another process, where there is more than one core.

    Raises:
        UsageError: no database is named.
        BundleUnreadable: it can't be read.
    """
    url = _read_connection(connection_file, configuration.database_url)
    with open_snapshot(url, configuration.facts, read_ahead=read_ahead) as snapshot:
        source: FactsSource = snapshot
        if client is not None:
            source = DirectoryUsers(snapshot, client)
        name = f"{snapshot.kind} of Keystone {snapshot.release}"
        yield OpenDatabase(source, name, snapshot.count_rows())


def _read_connection(connection_file: Path | None, configured: str | None) -> str:
    if connection_file is not None:
        lines = connection_file.read_text().splitlines()
        if not lines or not lines[0].strip():
            raise UsageError(f"{connection_file} has no URL in its first line")
        return lines[0].strip()
    if not configured:
        raise UsageError("Keystone's configuration names no database: name one by connection_file")
    return configured


def complete_from(read_at: int, configuration: KeystoneConfiguration) -> int:
    """Return from which time on events that are read now are complete, epoch seconds."""
    # Keystone deletes older ones; times of events are rounded to a second.
    return read_at - configuration.event_seconds + 1

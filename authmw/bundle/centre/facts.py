"""Where a publish reads facts: Keystone's database in one cut, or a bundle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from authmw.bundle.centre.settings import CentreSettings
from authmw.bundle.export.source import FactsSource
from authmw.bundle.facts import Table
from authmw.bundle.file import Bundle, open_bundle
from authmw.bundle.keystone_configuration import read_keystone_configuration
from authmw.bundle.packing import Row
from authmw.errors import BundleUnreadable, UsageError

EVENTS = "revocation_events"
"""The table that the hot bundle has alone, and that no other part has."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that were read in one cut.

    Attributes:
        source: of them.
        name: what was read, for people.
        events_read_at: epoch seconds; None: they have no revocation events.
        events_complete_from: see `authmw.bundle.file.Origin`.
    """

    source: FactsSource
    name: str
    events_read_at: int | None
    events_complete_from: int | None


class WithoutEvents:
    """The facts of a source but for its revocation events; a `FactsSource`."""

    def __init__(self, source: FactsSource) -> None:
        self._source = source
        self.read_at = source.read_at

    def rows(self, table: Table) -> Iterator[Row]:
        """See `FactsSource`."""
        return iter(()) if table.name == EVENTS else self._source.rows(table)


class EventsAlone:
    """The revocation events of a source; a `FactsSource`."""

    def __init__(self, source: FactsSource) -> None:
        self._source = source
        self.read_at = source.read_at

    def rows(self, table: Table) -> Iterator[Row]:
        """See `FactsSource`."""
        return self._source.rows(table) if table.name == EVENTS else iter(())


class BundleFacts:
    """The facts of a bundle; a `FactsSource`."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.read_at = bundle.header.origin.read_at

    def rows(self, table: Table) -> Iterator[Row]:
        """See `FactsSource`."""
        return self._bundle.rows(table)


@contextlib.contextmanager
def facts_of_bundle(path: Path) -> Iterator[Facts]:
    """Open a bundle as what is to be published.

    Raises:
        BundleUnreadable: it can't be read, or is a part itself.
    """
    with open_bundle(path) as bundle:
        if "filter" in bundle.facts.settings:
            raise BundleUnreadable(f"{path} holds a part of a cloud: publish a whole bundle")
        origin = bundle.header.origin
        yield Facts(
            BundleFacts(bundle),
            origin.source,
            origin.revocation_polled_at,
            origin.revocation_complete_from,
        )


@contextlib.contextmanager
def facts_of_keystone(settings: CentreSettings) -> Iterator[Facts]:
    """Open one state of Keystone's database.

    Raises:
        UsageError: the settings name none.
        BundleUnreadable: it can't be read.
    """
    from authmw.bundle.keystone_sql import KeystoneDatabase

    configuration = read_keystone_configuration(settings.keystone_config)
    url = read_connection(settings.connection_file, configuration.database_url)
    database = KeystoneDatabase(url, configuration.facts)
    with database.snapshot() as snapshot:
        yield Facts(
            snapshot,
            f"{database.kind} of Keystone {snapshot.release}",
            snapshot.read_at,
            # Keystone deletes older ones; times of events are rounded to a second.
            snapshot.read_at - configuration.event_seconds + 1,
        )


def read_connection(connection_file: Path | None, configured: str | None) -> str:
    """Return the URL of the database. Raises UsageError: there is none."""
    if connection_file is not None:
        lines = connection_file.read_text().splitlines()
        if not lines or not lines[0].strip():
            raise UsageError(f"{connection_file} has no URL in its first line")
        return lines[0].strip()
    if not configured:
        raise UsageError("Keystone's configuration names no database: set connection_file")
    return configured

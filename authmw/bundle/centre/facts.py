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
def facts_of_keystone(settings: CentreSettings, *, events_only: bool = False) -> Iterator[Facts]:
    """Open one state of Keystone's database.

    Args:
        settings: of the centre.
        events_only: nothing but revocation events is to be read: users of directories are not
            listed, and no process reads ahead.

    Raises:
        UsageError, ConfigurationError: the settings name no database, or no credentials.
        BundleUnreadable: it can't be read.
    """
    from authmw.bundle.export.opening import (
        complete_from,
        open_client,
        open_database,
        read_configuration,
        verify_database_readable,
    )

    if not settings.keystone_config:
        raise UsageError(
            f"{settings.path}: [centre] keystone_config is not set: name Keystone's configuration "
            "files, or publish a bundle (--from)"
        )
    verify_database_readable()
    configuration = read_configuration(settings.keystone_config)
    with contextlib.ExitStack() as stack:
        client = None
        if settings.config_file is not None and not events_only:
            answers = settings.state / "answers"
            client = stack.enter_context(open_client(str(settings.config_file), answers))
        database = stack.enter_context(
            open_database(
                configuration, settings.connection_file, client, read_ahead=not events_only
            )
        )
        read_at = database.source.read_at
        yield Facts(database.source, database.name, read_at, complete_from(read_at, configuration))
        if client is not None:
            client.forget()

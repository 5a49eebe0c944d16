"""One sync: from the newest trusted metadata to the files that workers read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from authmw.bundle.file import (
    Confirmation,
    Header,
    Origin,
    hot_path,
    read_hot,
    write_bundle,
    write_hot,
)
from authmw.bundle.sites.chains import CentreHead
from authmw.bundle.sites.names import HEAD
from authmw.bundle.sync.applying import bring_up_to, is_newest, read_header_of
from authmw.bundle.sync.configuration import SyncConfiguration
from authmw.bundle.sync.directory import SyncDirectory
from authmw.bundle.sync.errors import SyncFailed
from authmw.bundle.sync.failures import explained
from authmw.bundle.sync.fetcher import Fetcher
from authmw.bundle.sync.repository import Repository, RoleStates, is_unchanged
from authmw.errors import BundleUnreadable
from authmw.runtime.clock import wall_clock

# An answer "not modified" counts for this long; a new root may be there with an old timestamp.
_LONGEST_UNREFRESHED_SECONDS: Final = 600.0


class Sync:
    """Brings one site's files up to date, again and again.

    Revocation events come first: they are small, and a whole bundle may take minutes. Each step
    leaves files that workers can use, and what fails takes none of them away.

    Args:
        configuration: of the site.
        directory: locked.
        fetcher: gets files.
        clock: epoch seconds: whether metadata has expired, and nothing else, is the clock's to say.
    """

    def __init__(
        self,
        configuration: SyncConfiguration,
        directory: SyncDirectory,
        fetcher: Fetcher,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self._configuration = configuration
        self._directory = directory
        self._fetcher = fetcher
        self._clock = clock
        self.roles = RoleStates(directory.metadata, configuration.site)
        # After the last sync without a failure: the bundle, and until when it may be called new.
        self._done: Header | None = None
        self._done_until = 0.0
        self._written: object = None

    def run(self) -> bool:
        """Sync once.

        Returns:
            whether there was anything new.

        Raises:
            SyncFailed: it did not come to its end.
        """
        if self._is_without_news():
            return False
        self._done = None
        configuration = self._configuration
        with explained(f"trusted_root = {configuration.trusted_root}"):
            trusted_root = configuration.trusted_root.read_bytes()
        repository = Repository(
            url=configuration.url,
            site=configuration.site,
            trusted_root=trusted_root,
            directory=self._directory,
            fetcher=self._fetcher,
            most_target_bytes=configuration.most_target_bytes,
        )
        centre = repository.read_centre_head()
        failures: list[SyncFailed] = []
        is_new = False
        for step in (self._sync_events, self._sync_bundle):
            try:
                is_new |= step(repository, centre)
            except SyncFailed as failure:
                failures.append(failure)
        with explained("the metadata can't be kept"):
            self._directory.sync_metadata()
        if failures:
            raise failures[0]
        self._finish()
        return is_new

    def _is_without_news(self) -> bool:
        if self._done is None or self._clock() >= self._done_until:
            return False
        if read_header_of(self._configuration.bundle) != self._done:
            return False
        return is_unchanged(self._configuration.url, self._fetcher)

    def _finish(self) -> None:
        for path in self._directory.incoming.iterdir():
            if not path.name.endswith(HEAD):
                with suppress(OSError):
                    path.unlink()
        now = self._clock()
        ends = (role.expires_at for role in self.roles.read().values())
        self._done_until = min(now + _LONGEST_UNREFRESHED_SECONDS, *ends)
        self._done = read_header_of(self._configuration.bundle)

    def _sync_events(self, repository: Repository, centre: CentreHead) -> bool:
        """Bring the revocation events up to date, and confirm what is in force where it is new."""
        events = self._directory.events
        if centre.hot is None:
            self._without_events(centre)
        else:
            read_at = centre.read_at if centre.hot_read_at is None else centre.hot_read_at
            with explained("the revocation events"):
                bring_up_to(
                    centre.hot,
                    events,
                    repository.fetch,
                    staging=self._directory.staging.with_name("events.staging"),
                    mode=0o600,
                    read_at=read_at,
                )
        return self._write_hot(centre, self._known_confirmation())

    def _without_events(self, centre: CentreHead) -> None:
        header = read_header_of(self._directory.events)
        if header is None or header.row_count:
            with explained("the revocation events"):
                origin = Origin(centre.revision, centre.read_at, "no events are published")
                write_bundle(self._directory.events, origin, [])

    def _sync_bundle(self, repository: Repository, centre: CentreHead) -> bool:
        """Bring the bundle up to date, and confirm it."""
        head = repository.read_site_head()
        configuration = self._configuration
        is_new = bring_up_to(
            head.warm,
            configuration.bundle,
            repository.fetch,
            staging=self._directory.staging,
            mode=configuration.mode,
            read_at=centre.read_at,
        )
        header = read_header_of(configuration.bundle)
        if not is_newest(header, head.warm, centre.read_at):
            return is_new
        confirmation = Confirmation(head.warm.digest, centre.revision, centre.read_at)
        return self._write_hot(centre, confirmation) or is_new

    def _known_confirmation(self) -> Confirmation | None:
        """Return what the hot file confirms now; it stays true of the facts that it names."""
        try:
            return read_hot(hot_path(self._configuration.bundle)).confirmation
        except BundleUnreadable:
            return None

    def _write_hot(self, centre: CentreHead, confirmation: Confirmation | None) -> bool:
        events = self._directory.events
        with explained("the hot file can't be written"):
            header = read_header_of(events)
            if header is None:
                raise BundleUnreadable("there are no revocation events to write")
            origin = header.origin
            # Times of other events than these would hide that these are old.
            if centre.hot is not None and header.digest == centre.hot.digest:
                read_at = centre.hot_read_at
                times = (read_at, centre.hot_complete_from)
                origin = Origin(
                    centre.hot.revision, read_at or origin.read_at, origin.source, *times
                )
            written = (header.digest, origin, confirmation)
            if written == self._written and hot_path(self._configuration.bundle).exists():
                return False
            write_hot(
                self._configuration.bundle,
                confirmation,
                events,
                origin=origin,
                mode=self._configuration.mode,
            )
            self._written = written
            return True

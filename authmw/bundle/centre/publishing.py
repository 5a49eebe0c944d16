"""Publishes revisions: the part of each site, and the revocation events of all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile, Targets

from authmw.bundle.centre.cleaning import clean
from authmw.bundle.centre.facts import BundleFacts, EventsAlone, Facts, WithoutEvents
from authmw.bundle.centre.keys import KeyRing
from authmw.bundle.centre.locks import locked
from authmw.bundle.centre.making import MADE_OF, Whole, make_parts
from authmw.bundle.centre.outgoing import Outgoing, send
from authmw.bundle.centre.parts import Limits, Part, chain_in, forget_part
from authmw.bundle.centre.repository import (
    Repository,
    describe_target,
    name_head,
    read_head,
    stored_path,
)
from authmw.bundle.centre.settings import CentreSettings
from authmw.bundle.centre.stores import Store
from authmw.bundle.export import export
from authmw.bundle.export.selection import Filter
from authmw.bundle.file import Origin, open_bundle
from authmw.bundle.sites.chains import (
    CentreHead,
    SiteHead,
    dump_site_head,
)
from authmw.bundle.sites.names import (
    CENTRE,
    site_directory,
    site_head,
    site_role,
)
from authmw.errors import BundleUnreadable
from authmw.runtime.clock import wall_clock

REPOSITORY_LOCK: Final = "repository"
"""The lock of whoever signs and sends."""
WARM: Final = "warm"
"""The lock of whoever publishes facts."""
HOT: Final = "hot"
"""The lock of whoever publishes events, and the part that has them."""
# For a publish of the other kind, which only signs and sends for as long.
_WAIT_SECONDS: Final = 300.0


@dataclass(slots=True)
class Published:
    """What a publish did.

    Attributes:
        revision: of the centre.
        read_at: epoch seconds: of the facts.
        hot_revision: of the hot bundle; None: there is none.
        changed: the sites whose metadata was signed anew.
        unchanged: how many sites' parts are as they were.
        warnings: what the operator should know.
    """

    revision: int
    read_at: int
    hot_revision: int | None = None
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    warnings: list[str] = field(default_factory=list)


class Publisher:
    """Publishes for one centre.

    Args:
        settings: of the centre.
        store: where the repository is.
        clock: returns epoch seconds.
    """

    def __init__(
        self, settings: CentreSettings, store: Store, clock: Callable[[], float] = wall_clock
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._state = settings.state

    def publish(self, facts: AbstractContextManager[Facts]) -> Published:
        """Publish all facts as the next revision.

        Args:
            facts: one cut; opened and closed here.

        Raises:
            BundleUnreadable: the facts can't be read, there is no repository, or another process
                publishes.
            KeysUnavailable: an online key is missing.
            OSError: something can't be written or sent. The last head stays valid.
        """
        with locked(self._state, WARM), self._work(WARM) as work:
            with self._signing():
                head = self._read_head()
            with facts as opened:
                self._verify_newer(opened, head)
                revision = 1 if head is None else head.revision + 1
                origin = Origin(revision, opened.source.read_at, opened.name)
                whole = work / "whole.bundle"
                digest = export(WithoutEvents(opened.source), whole, origin).digest.hex()
                hot = self._export_events(opened, head, work)
            published = Published(revision, origin.read_at)
            made_of = f"{digest} {version('authmw')}"
            parts = make_parts(
                self._settings, Whole(whole, origin, made_of), work, published.warnings
            )
            with self._signing():
                return self._send_all(published, parts, made_of, hot, work)

    def publish_hot(self, facts: AbstractContextManager[Facts]) -> Published:
        """Publish revocation events alone; see `publish`."""
        with locked(self._state, HOT), self._work(HOT) as work:
            with self._signing():
                head = self._read_head()
            if head is None:
                raise BundleUnreadable("publish facts before events: authmw bundle publish")
            with facts as opened:
                hot = self._export_events(opened, head, work)
            if hot is None:
                raise BundleUnreadable("there are no revocation events to publish")
            with self._signing():
                return self._send_hot(hot, work)

    # --- making bundles

    @contextmanager
    def _work(self, name: str) -> Iterator[Path]:
        work = self._state / f"work-{name}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _verify_newer(self, facts: Facts, head: CentreHead | None) -> None:
        is_file = isinstance(facts.source, BundleFacts)
        if is_file and head is not None and facts.source.read_at < head.read_at:
            raise BundleUnreadable("the bundle is older than what is published")

    def _export_events(self, facts: Facts, head: CentreHead | None, work: Path) -> Path | None:
        if facts.events_read_at is None:
            return None
        path = work / "events.bundle"
        revision = 1 if head is None or head.hot is None else head.hot.revision + 1
        read_at, complete_from = facts.events_read_at, facts.events_complete_from
        origin = Origin(revision, read_at, facts.name, read_at, complete_from)
        export(EventsAlone(facts.source), path, origin)
        return path

    # --- signing and sending

    @contextmanager
    def _signing(self) -> Iterator[None]:
        """Hold the repository, in the state that was sent last."""
        with locked(self._state, REPOSITORY_LOCK, wait_seconds=_WAIT_SECONDS):
            send(self._state, self._store)
            yield

    def _begin(self) -> tuple[Repository, Outgoing]:
        now = self._clock()
        repository = Repository(self._settings, KeyRing(self._settings).signers, now)
        return repository, Outgoing(self._state, now)

    def _read_head(self) -> CentreHead | None:
        repository = Repository(self._settings, KeyRing(self._settings).signers, self._clock())
        repository.root()
        return read_head(self._state)

    def _send_all(
        self,
        published: Published,
        parts: Mapping[Filter, Part],
        made_of: str,
        hot: Path | None,
        work: Path,
    ) -> Published:
        repository, outgoing = self._begin()
        old = read_head(self._state)
        head = CentreHead(published.revision, published.read_at)
        if old is not None:
            head = replace(
                old,
                revision=published.revision,
                read_at=published.read_at,
            )
        for part in parts.values():
            part.keep(outgoing)
            outgoing.set_state(f"{part.name}/{MADE_OF}", made_of.encode())
        self._sign_sites(repository, outgoing, parts, published)
        hot_part = self._hot_part()
        if hot is not None and self._is_next(head, hot):
            head = self._with_events(head, hot_part, hot, work)
        self._sign_centre(repository, outgoing, head, hot_part)
        published.warnings += self._send(repository, outgoing)
        self._forget_parts(parts)
        published.hot_revision = None if head.hot is None else head.hot.revision
        return published

    def _send_hot(self, hot: Path, work: Path) -> Published:
        repository, outgoing = self._begin()
        head = read_head(self._state)
        assert head is not None  # noqa: S101 - heads are only replaced
        part = self._hot_part()
        # If not, a publish of all facts has sent others meanwhile; the next one is due soon.
        if self._is_next(head, hot):
            head = self._with_events(head, part, hot, work)
        self._sign_centre(repository, outgoing, head, part)
        warnings = self._send(repository, outgoing)
        return Published(
            head.revision,
            head.read_at,
            hot_revision=None if head.hot is None else head.hot.revision,
            warnings=warnings,
        )

    def _hot_part(self) -> Part:
        limits = Limits(self._settings.rebase_share, self._settings.hot_most_deltas)
        return Part(self._state, HOT, limits)

    def _is_next(self, head: CentreHead, hot: Path) -> bool:
        """Tell whether these events are newer than those published."""
        with open_bundle(hot) as bundle:
            origin = bundle.header.origin
        if head.hot is not None and origin.revision <= head.hot.revision:
            return False
        published, read_at = head.hot_read_at, origin.revocation_polled_at
        if published is None or published > self._clock():
            # A clock that was ahead must not keep events back until that time has come.
            return True
        return read_at is not None and read_at >= published

    def _with_events(self, head: CentreHead, part: Part, hot: Path, work: Path) -> CentreHead:
        with open_bundle(hot) as bundle:
            origin = bundle.header.origin
        part.advance(hot, work)
        assert part.chain is not None  # noqa: S101 - `advance` makes one
        return replace(
            head,
            hot=chain_in(part.chain, CENTRE),
            hot_read_at=origin.revocation_polled_at,
            hot_complete_from=origin.revocation_complete_from,
        )

    def _sign_sites(
        self,
        repository: Repository,
        outgoing: Outgoing,
        parts: Mapping[Filter, Part],
        published: Published,
    ) -> None:
        delegated = repository.delegated_roles()
        described = _Described()
        for site, each in self._settings.sites.items():
            role = site_role(site)
            if role not in delegated:
                published.warnings.append(
                    f"site {site} is not in the repository yet: authmw bundle rotate"
                )
            elif self._sign_site(site, repository, outgoing, parts[each.filter], described):
                published.changed.append(site)
            else:
                published.unchanged += 1
        self._sign_removed(repository, set(delegated) - {CENTRE}, published)

    def _sign_removed(self, repository: Repository, roles: set[str], published: Published) -> None:
        """Take their heads from sites that CENTRE.toml has no longer.

        The centre's head says that every site's part is current: theirs is not.
        """
        for role in sorted(roles - set(self._settings.delegated)):
            site = role.removeprefix("site.")
            published.warnings.append(
                f"site {site} is in the repository still, without a part: authmw bundle rotate"
            )
            old = repository.signed(role, Targets)
            if old is not None and old.signed.targets:
                repository.sign_delegated(role, {})
                published.changed.append(site)

    def _sign_site(
        self,
        site: str,
        repository: Repository,
        outgoing: Outgoing,
        part: Part,
        described: _Described,
    ) -> bool:
        assert part.chain is not None  # noqa: S101 - every part was advanced
        role, directory = site_role(site), site_directory(site)
        head = dump_site_head(SiteHead(site, chain_in(part.chain, directory)))
        path = site_head(site)
        named = {path: describe_target(path, head)}
        old = repository.signed(role, Targets)
        is_same = old is not None and old.signed.targets.get(path) == named[path]
        if is_same and old is not None and not repository.is_ending(old.signed, role):
            return False
        there = {} if old is None else old.signed.targets
        self._add_files(part, directory, there, named, described, outgoing)
        if not is_same:
            outgoing.add_bytes(stored_path(named[path]), head)
        repository.sign_delegated(role, named)
        return True

    def _sign_centre(
        self, repository: Repository, outgoing: Outgoing, head: CentreHead, hot: Part
    ) -> None:
        named = name_head(repository, outgoing, head)
        old = repository.signed(CENTRE, Targets)
        there = {} if old is None else old.signed.targets
        if head.hot is not None:
            self._add_files(hot, CENTRE, there, named, _Described(), outgoing)
            hot.keep(outgoing)
        repository.sign_delegated(CENTRE, named)
        repository.sign_snapshot()
        repository.sign_timestamp()

    def _add_files(
        self,
        part: Part,
        directory: str,
        there: Mapping[str, TargetFile],
        named: dict[str, TargetFile],
        described: _Described,
        outgoing: Outgoing,
    ) -> None:
        """Name the files of a part's chain, and send those that are not there."""
        for name, file in part.files().items():
            path = f"{directory}/{name}"
            named[path] = described.describe(path, file)
            if there.get(path) != named[path]:
                outgoing.add_target(stored_path(named[path]), file)

    def _send(self, repository: Repository, outgoing: Outgoing) -> list[str]:
        """Send what is signed; returns what the operator should know."""
        repository.add_to(outgoing)
        outgoing.seal()
        send(self._state, self._store)
        repository.forget()
        try:
            clean(self._settings, repository, self._store, self._clock())
        except OSError as error:
            # It is published: nobody must take it for a failure, and not announce it.
            return [f"old files can't be deleted, and will be tried again: {error}"]
        return []

    def _forget_parts(self, parts: Mapping[Filter, Part]) -> None:
        """Delete the parts of filters that no site has any more."""
        kept = {Path(each.name).name for each in parts.values()} | {HOT}
        for directory in (self._state / "parts").iterdir():
            if directory.name not in kept:
                forget_part(directory)


class _Described:
    """Lengths and hashes of files, each read once for all sites that have it."""

    def __init__(self) -> None:
        self._known: dict[Path, TargetFile] = {}

    def describe(self, path: str, file: Path) -> TargetFile:
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = describe_target(path, file)
        return TargetFile(known.length, known.hashes, path)

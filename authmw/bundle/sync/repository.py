"""The centre's repository as one sync sees it: heads and targets, verified by python-tuf.

A sync asks for the paths of its own site and of the centre alone, so no other site's role is ever
fetched or trusted.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tuf.api.exceptions import BadVersionNumberError
from tuf.api.metadata import Metadata, Snapshot
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.updater import Updater

from authmw.bundle.sites.chains import (
    LARGEST_HEAD,
    CentreHead,
    SiteHead,
    digest_versions,
    parse_centre_head,
    parse_site_head,
)
from authmw.bundle.sites.names import CENTRE, CENTRE_HEAD, METADATA, TARGETS, site_head, site_role
from authmw.bundle.sync.directory import SyncDirectory
from authmw.bundle.sync.errors import Kind, SyncFailed
from authmw.bundle.sync.failures import explained
from authmw.bundle.sync.fetcher import LARGEST_TIMESTAMP, TIMESTAMP, Fetcher

# For ten thousand sites: a key and a delegation take some 500 bytes, a line of the snapshot 150.
_LARGEST_SNAPSHOT: Final = 8 << 20
_LARGEST_TARGETS: Final = 32 << 20
# `targets` and the role of a path; no role delegates further.
_MOST_ROLES: Final = 3
_LARGEST_ROOT: Final = 512_000


@dataclass(frozen=True, slots=True)
class RoleState:
    """The metadata of a role that was trusted last.

    Attributes:
        version: of it.
        expires_at: epoch seconds.
    """

    version: int
    expires_at: int


class Repository:
    """One refreshed view of a repository; make another one for the next sync.

    Args:
        url: see `SyncConfiguration`.
        site: its name.
        trusted_root: the content of the file of that name.
        directory: locked.
        fetcher: gets files.
        most_target_bytes: of one target.

    Raises:
        SyncFailed: no newest metadata can be had that is to be trusted.
    """

    def __init__(
        self,
        *,
        url: str,
        site: str,
        trusted_root: bytes,
        directory: SyncDirectory,
        fetcher: Fetcher,
        most_target_bytes: int,
    ) -> None:
        self._site = site
        self._directory = directory
        self._fetcher = fetcher
        self._most_target_bytes = most_target_bytes
        fetcher.last_file = ""
        with explained("the trusted root can't be used"):
            self._updater = Updater(
                str(directory.metadata),
                f"{url}/{METADATA}/",
                str(directory.incoming),
                f"{url}/{TARGETS}/",
                fetcher,
                UpdaterConfig(
                    max_delegations=_MOST_ROLES,
                    root_max_length=_LARGEST_ROOT,
                    timestamp_max_length=LARGEST_TIMESTAMP,
                    snapshot_max_length=_LARGEST_SNAPSHOT,
                    targets_max_length=_LARGEST_TARGETS,
                ),
                bootstrap=trusted_root,
            )
        with explained("the metadata can't be refreshed", self._last_file):
            self._updater.refresh()

    def _last_file(self) -> str:
        return self._fetcher.last_file

    def read_centre_head(self) -> CentreHead:
        """Read `centre/head.json`. Raises SyncFailed."""
        encoded = self._read_head(CENTRE_HEAD)
        with explained(CENTRE_HEAD):
            head = parse_centre_head(encoded)
            if head.versions not in (None, self._digest_versions()):
                raise BadVersionNumberError(
                    f"{CENTRE_HEAD} is of another snapshot than the one that names it"
                )
        return head

    def _digest_versions(self) -> bytes:
        # The client has verified it, and kept it, just now.
        path = self._directory.metadata / "snapshot.json"
        meta = Metadata[Snapshot].from_bytes(path.read_bytes()).signed.meta
        return digest_versions({name: each.version for name, each in meta.items()})

    def read_site_head(self) -> SiteHead:
        """Read `sites/NAME/head.json` of our site. Raises SyncFailed."""
        path = site_head(self._site)
        encoded = self._read_head(path)
        with explained(path):
            return parse_site_head(encoded, self._site)

    def _read_head(self, path: str) -> bytes:
        return self.fetch(path, LARGEST_HEAD).read_bytes()

    def fetch(self, path: str, most: int | None = None) -> Path:
        """Fetch a target, unless it lies here already, whole.

        Args:
            path: of the target.
            most: bytes; None: of any target.

        Raises:
            SyncFailed: there is no such target, it can't be had, or is not what was signed.
        """
        with explained(f"the target {path}", self._last_file):
            self._fetcher.last_file = ""
            info = self._updater.get_targetinfo(path)
            if info is None:
                raise SyncFailed(
                    Kind.REPOSITORY,
                    f"the centre publishes no target {path}: add the site {self._site!r} there, or "
                    "correct site",
                )
            most = self._most_target_bytes if most is None else most
            if info.length > most:
                raise SyncFailed(
                    Kind.TOO_LARGE,
                    f"the target {path} has {info.length} bytes, and at most {most} are taken "
                    "(most_target_bytes, for a bundle)",
                )
            place = self._directory.incoming / quote(path, "")
            if self._updater.find_cached_target(info, str(place)) is None:
                self._verify_room(path, info.length)
                self._updater.download_target(info, str(place))
            return place

    def _verify_room(self, path: str, length: int) -> None:
        free = shutil.disk_usage(self._directory.incoming).free
        # As it comes, and as it is kept.
        if free < 2 * length:
            raise SyncFailed(
                Kind.LOCAL,
                f"the target {path} has {length} bytes, and the file system of "
                f"{self._directory.path} has {free} left: make room for four times as much",
            )


def is_unchanged(url: str, fetcher: Fetcher) -> bool:
    """Ask for news by the ETag of the timestamp; False: there may be some. Raises SyncFailed."""
    with explained("the server can't be asked for news", lambda: TIMESTAMP):
        return fetcher.is_unchanged(f"{url}/{METADATA}/{TIMESTAMP}")


class RoleStates:
    """Reads versions and expiries off the metadata that was trusted last, for the status.

    Args:
        directory: of the metadata.
        site: its name.
    """

    def __init__(self, directory: Path, site: str) -> None:
        names = {"root": "root", "timestamp": "timestamp", "snapshot": "snapshot"}
        names |= {"targets": "targets", CENTRE: CENTRE, "site": site_role(site)}
        self._files = {shown: directory / f"{name}.json" for shown, name in names.items()}
        self._known: dict[Path, tuple[object, RoleState]] = {}

    def read(self) -> dict[str, RoleState]:
        """Return what is known of each role: root, timestamp, snapshot, targets, centre, site."""
        found = ((name, self._read(path)) for name, path in self._files.items())
        return {name: state for name, state in found if state is not None}

    def _read(self, path: Path) -> RoleState | None:
        try:
            status = os.stat(path)
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._known.get(path)
            if known is not None and known[0] == seen:
                return known[1]
            signed = json.loads(path.read_bytes())["signed"]
            expires = datetime.fromisoformat(signed["expires"])
            state = RoleState(int(signed["version"]), int(expires.timestamp()))
        except (OSError, ValueError, LookupError, TypeError):
            return None
        self._known[path] = (seen, state)
        return state

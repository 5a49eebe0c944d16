"""A small centre: a TUF repository of bundles with real keys, as an operator or a thief has them.

The product's own centre can do nothing that is wrong; attacks need one that can.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from authmw.bundle.file import Header, Origin, make_delta, write_bundle
from authmw.bundle.sites.chains import (
    Base,
    CentreHead,
    Chain,
    Link,
    SiteHead,
    digest_versions,
    dump_centre_head,
    dump_site_head,
)
from authmw.bundle.sites.names import CENTRE, CENTRE_HEAD, site_directory, site_head, site_role
from tests.support.bundle_facts import Fact

TOP = ("root", "timestamp", "snapshot", "targets")
DAY = timedelta(days=1)


def new_signer() -> CryptoSigner:
    return CryptoSigner.generate_ed25519()


@dataclass
class Line:
    """The revisions of one bundle: its files, and the chain of them."""

    directory: str
    newest: Path | None = None
    header: Header | None = None
    base: Base | None = None
    links: tuple[Link, ...] = ()

    @property
    def chain(self) -> Chain:
        assert self.header is not None
        assert self.base is not None
        return Chain(self.header.origin.revision, self.header.digest, self.base, self.links)


class Centre:
    """A repository in a directory.

    Args:
        directory: of the repository; it gets `metadata` and `targets`.
        sites: their names.

    Attributes:
        signers: of each role; the first ones up to its threshold sign.
        metadata: of each role, as it was published last.
        lifetimes: of metadata to be signed, by role.
        binds: whether the centre's head is bound to the versions of the other roles.
    """

    def __init__(self, directory: Path, sites: Iterable[str] = ("edge-1", "edge-2")) -> None:
        self.directory = directory
        self.work = directory.with_name(f"{directory.name}.work")
        for path in (self.work, directory / "metadata", directory / "targets"):
            path.mkdir(parents=True)
        self.sites = tuple(sites)
        self.lifetimes = {"root": 365 * DAY, "targets": 365 * DAY}
        delegated = [CENTRE, *map(site_role, self.sites)]
        self.signers = {role: [new_signer()] for role in (*TOP, *delegated)}
        self.signers["root"].append(new_signer())
        self.lines = {site: Line(site_directory(site)) for site in self.sites}
        self.hot = Line(CENTRE)
        self.head: CentreHead | None = None
        self.binds = False
        self._numbers = itertools.count(1)
        self.metadata: dict[str, Metadata[Any]] = {
            "root": Metadata(Root(consistent_snapshot=True)),
            "timestamp": Metadata(Timestamp()),
            "snapshot": Metadata(Snapshot()),
            "targets": Metadata(Targets()),
            **{role: Metadata(Targets()) for role in delegated},
        }
        for each in self.metadata.values():
            each.signed.version = 0
        self.metadata["snapshot"].signed.meta = {}
        self.trust_keys()
        self.sign_root()
        self.delegate()

    # --- keys

    def trust_keys(self) -> None:
        """Write the public keys of the top-level roles into the root, unsigned."""
        root = self.metadata["root"].signed
        for role in TOP:
            root.roles[role].keyids = []
            root.roles[role].threshold = len(self.signers[role])
            for signer in self.signers[role]:
                root.add_key(signer.public_key, role)

    def sign_root(self, *others: CryptoSigner) -> bytes:
        """Publish the next version of the root; `others` sign as well (those of the last one)."""
        self._sign("root", *others)
        return self._write("root")

    def rotate(self, *roles: str) -> None:
        """Replace the keys of top-level roles, signed by old and new keys of the root."""
        former = tuple(self.signers["root"])
        for role in roles:
            self.signers[role] = [new_signer() for _ in self.signers[role]]
        self.trust_keys()
        self.sign_root(*(former if "root" in roles else ()))

    def delegate(self) -> None:
        """Have `targets` delegate to the keys that delegated roles have now."""
        roles: dict[str, DelegatedRole] = {}
        keys: dict[str, Key] = {}
        paths = {CENTRE: f"{CENTRE}/*"}
        paths |= {site_role(site): f"{site_directory(site)}/*" for site in self.sites}
        for role, path in paths.items():
            public = [signer.public_key for signer in self.signers[role]]
            keys |= {key.keyid: key for key in public}
            keyids = [key.keyid for key in public]
            roles[role] = DelegatedRole(role, keyids, len(keyids), terminating=True, paths=[path])
        self.metadata["targets"].signed.delegations = Delegations(keys, roles)

    def _sign(self, role: str, *others: CryptoSigner) -> None:
        metadata = self.metadata[role]
        metadata.signed.version += 1
        metadata.signed.expires = datetime.now(UTC).replace(microsecond=0) + self.lifetimes.get(
            role, DAY
        )
        metadata.signatures.clear()
        for signer in (*self.signers[role], *others):
            metadata.sign(signer, append=True)

    def _write(self, role: str) -> bytes:
        encoded = self.metadata[role].to_bytes(JSONSerializer())
        prefix = "" if role == "timestamp" else f"{self.metadata[role].signed.version}."
        (self.directory / "metadata" / f"{prefix}{role}.json").write_bytes(encoded)
        return encoded

    # --- content

    def write_site(
        self, site: str, rows: Iterable[Fact], revision: int, read_at: int, *, base: bool = False
    ) -> None:
        """Write the next revision of a site's part: a base, else a delta if there is a base."""
        self.extend(self.lines[site], rows, Origin(revision, read_at, "a test"), base=base)

    def write_hot(
        self, rows: Iterable[Fact], revision: int, read_at: int, *, base: bool = False
    ) -> None:
        """Write the next revision of the revocation events."""
        origin = Origin(revision, read_at, "a test", read_at, read_at - 86_400)
        self.extend(self.hot, rows, origin, base=base)

    def extend(self, line: Line, rows: Iterable[Fact], origin: Origin, *, base: bool) -> None:
        """Write a revision of a bundle, and the file that leads to it."""
        path = self.work / f"{next(self._numbers)}.bundle"
        header = write_bundle(path, origin, rows)
        state = (header.origin.revision, header.digest)
        number = f"{origin.revision}-{next(self._numbers)}"
        if base or line.newest is None or line.header is None:
            target = f"{line.directory}/{number}.bundle"
            self.add_target(target, path.read_bytes())
            line.base, line.links = Base(target, *state), ()
        else:
            delta = self.work / f"{number}.delta"
            make_delta(line.newest, path, delta)
            target = f"{line.directory}/{number}.delta"
            self.add_target(target, delta.read_bytes())
            former = line.header.origin.revision
            line.links = (*line.links, Link(target, former, *state))
        line.newest, line.header = path, header

    def add_target(self, path: str, content: bytes, role: str | None = None) -> TargetFile:
        """Put a file into the repository, and into the metadata of its role, unsigned."""
        info = TargetFile.from_data(path, content, ["sha256"])
        parent, _, name = path.rpartition("/")
        place = self.directory / "targets" / parent / f"{info.hashes['sha256']}.{name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        role = role or (CENTRE if parent == CENTRE else f"site.{path.split('/')[1]}")
        self.metadata[role].signed.targets[path] = info
        return info

    def stored(self, path: str) -> Path:
        """Return where a target lies in the repository."""
        role = CENTRE if path.startswith(f"{CENTRE}/") else f"site.{path.split('/')[1]}"
        info = self.metadata[role].signed.targets[path]
        parent, _, name = path.rpartition("/")
        return self.directory / "targets" / parent / f"{info.hashes['sha256']}.{name}"

    # --- publication

    def publish(self, revision: int, read_at: int) -> None:
        """Publish what was written as a revision."""
        hot = None if self.hot.header is None else self.hot.chain
        polled_at, complete_from = (None, None) if hot is None else (read_at, read_at - 86_400)
        signed = ("targets", CENTRE, *map(site_role, self.sites))
        versions = {f"{role}.json": self.metadata[role].signed.version + 1 for role in signed}
        bound = digest_versions(versions) if self.binds else None
        self.head = CentreHead(revision, read_at, hot, polled_at, complete_from, bound)
        self.add_target(CENTRE_HEAD, dump_centre_head(self.head))
        for site, line in self.lines.items():
            if line.header is not None:
                head = dump_site_head(SiteHead(site, line.chain))
                self.add_target(site_head(site), head)
        self.publish_roles(*signed)

    def publish_roles(self, *roles: str, versions: Mapping[str, int] | None = None) -> None:
        """Sign and publish roles, and the snapshot and timestamp of them.

        Args:
            roles: below the snapshot.
            versions: that the snapshot says in place of the true ones.
        """
        for role in roles:
            self._sign(role)
            self._write(role)
        self.publish_snapshot(versions)

    def publish_snapshot(self, versions: Mapping[str, int] | None = None) -> None:
        below = [role for role in self.metadata if role not in TOP or role == "targets"]
        said = {role: self.metadata[role].signed.version for role in below} | dict(versions or {})
        snapshot = self.metadata["snapshot"].signed
        snapshot.meta = {f"{role}.json": MetaFile(version) for role, version in said.items()}
        self._sign("snapshot")
        self._write("snapshot")
        self.publish_timestamp()

    def publish_timestamp(self) -> None:
        timestamp = self.metadata["timestamp"].signed
        timestamp.snapshot_meta = MetaFile(self.metadata["snapshot"].signed.version)
        self._sign("timestamp")
        self._write("timestamp")

"""The metadata of the repository as the centre signed it last, and the next of each role."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from securesystemslib.signer import Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (
    DelegatedRole,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from authmw.bundle.centre.keys import sign_with
from authmw.bundle.centre.outgoing import Outgoing
from authmw.bundle.centre.settings import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, CentreSettings
from authmw.bundle.sites.chains import (
    CentreHead,
    digest_versions,
    dump_centre_head,
    parse_centre_head,
)
from authmw.bundle.sites.names import CENTRE_HEAD, HEAD, METADATA
from authmw.bundle.sites.names import TARGETS as TARGETS_DIRECTORY
from authmw.errors import BundleUnreadable, KeysUnavailable

SignersOf = Callable[[str, Iterable[str]], list[Signer]]
"""Returns the signers of a role that are at hand, of those with these key ids."""

AnySigned = TypeVar("AnySigned", Root, Targets, Snapshot, Timestamp)

_SERIALIZER: Final = JSONSerializer(compact=True)


class Repository:
    """What was signed last, on the centre's own disk, and what will be signed next.

    The storage that sites fetch from is never read: whoever can write there can't make the centre
    sign anything.

    Args:
        settings: of the centre.
        signers_of: has the private keys.
        now: epoch seconds.
    """

    def __init__(self, settings: CentreSettings, signers_of: SignersOf, now: float) -> None:
        self._settings = settings
        self._directory = settings.state / METADATA
        self._signers_of = signers_of
        self._now = datetime.fromtimestamp(int(now), UTC)
        self._next: dict[str, Metadata[Any]] = {}
        # The delegations of many sites take a while to parse.
        self._signed: dict[str, Metadata[Any] | None] = {}

    @property
    def is_initialized(self) -> bool:
        return (self._directory / "root.json").exists()

    # --- what is there

    def load(self, role: str, kind: type[AnySigned]) -> AnySigned | None:
        """Return what a role signs next, or signed last; None: nothing yet.

        Raises:
            BundleUnreadable: the file in the state is not what was signed.
        """
        metadata = self._next.get(role) or self.signed(role, kind)
        return None if metadata is None else metadata.signed

    def signed(self, role: str, kind: type[AnySigned]) -> Metadata[AnySigned] | None:
        """Return what a role signed last; not to be changed."""
        if role not in self._signed:
            self._signed[role] = self._read(role, kind)
        return self._signed[role]

    def forget(self) -> None:
        """Forget what was read: another state is in force."""
        self._signed.clear()

    def _read(self, role: str, kind: type[AnySigned]) -> Metadata[AnySigned] | None:
        path = self._directory / f"{role}.json"
        try:
            metadata = Metadata[AnySigned].from_file(str(path))
        except DeserializationError as error:
            raise BundleUnreadable(f"{path} can't be read: {error}") from error
        except Exception as error:
            # The library has one error for all failures of its storage.
            if not path.exists():
                return None
            raise BundleUnreadable(f"{path} can't be read: {error}") from error
        if not isinstance(metadata.signed, kind):
            raise BundleUnreadable(f"{path} is the metadata of another role")
        return metadata

    def root(self) -> Root:
        """Return the root. Raises BundleUnreadable: there is none."""
        return self._existing(ROOT, Root)

    def targets(self) -> Targets:
        """Return the role that delegates. Raises BundleUnreadable: there is none."""
        return self._existing(TARGETS, Targets)

    def snapshot(self) -> Snapshot:
        """Return the snapshot. Raises BundleUnreadable: there is none."""
        return self._existing(SNAPSHOT, Snapshot)

    def delegated_roles(self) -> Mapping[str, DelegatedRole]:
        """Return the roles that `targets` delegates to, by name."""
        return delegated_roles(self.targets())

    def _existing(self, role: str, kind: type[AnySigned]) -> AnySigned:
        found = self.load(role, kind)
        if found is None:
            raise BundleUnreadable(
                f"{self._settings.state} has no repository yet: authmw bundle init"
            )
        return found

    def is_ending(self, signed: Signed, role: str) -> bool:
        """Tell whether less than half of the time is left for which a role signs."""
        left = (signed.expires - self._now).total_seconds()
        return left < self._settings.role(role).expires_seconds / 2

    # --- what is next

    def sign_delegated(
        self, role: str, targets: Mapping[str, TargetFile], *, least_version: int = 0
    ) -> None:
        """Have a delegated role sign its targets.

        Raises:
            KeysUnavailable: its keys are not at hand.
        """
        old = self.signed(role, Targets)
        version = max(old.signed.version if old else 0, least_version) + 1
        signed = Targets(version, None, self._expiry(role), dict(targets))
        self._next[role] = self._sign(role, signed, self.targets())

    def take_signed(self, role: str, metadata: Metadata[Any]) -> None:
        """Publish metadata of an offline role, which is verified by the caller."""
        self._next[role] = metadata

    def next_versions(self) -> dict[str, int]:
        """Return the versions that the next snapshot names, by the names of the files."""
        old = self.signed(SNAPSHOT, Snapshot)
        versions = {name: each.version for name, each in old.signed.meta.items()} if old else {}
        for role, metadata in self._next.items():
            if isinstance(metadata.signed, Targets):
                versions[f"{role}.json"] = metadata.signed.version
        return versions

    def sign_snapshot(self) -> None:
        """Have the snapshot name what is next. Raises KeysUnavailable."""
        old = self.signed(SNAPSHOT, Snapshot)
        meta = {name: MetaFile(version) for name, version in self.next_versions().items()}
        version = old.signed.version + 1 if old else 1
        signed = Snapshot(version, None, self._expiry(SNAPSHOT), meta)
        self._next[SNAPSHOT] = self._sign(SNAPSHOT, signed, self.root())

    def sign_timestamp(self) -> None:
        """Have the timestamp name the snapshot. Raises KeysUnavailable."""
        old = self.signed(TIMESTAMP, Timestamp)
        version = old.signed.version + 1 if old else 1
        named = MetaFile(self.snapshot().version)
        signed = Timestamp(version, None, self._expiry(TIMESTAMP), named)
        self._next[TIMESTAMP] = self._sign(TIMESTAMP, signed, self.root())

    def _expiry(self, role: str) -> datetime:
        try:
            seconds = self._settings.role(role).expires_seconds
        except KeyError:
            # A site that was removed.
            seconds = self._settings.role(SNAPSHOT).expires_seconds
        return self.expiry_of(seconds)

    def expiry_of(self, seconds: float) -> datetime:
        """Return when what is signed now expires."""
        return datetime.fromtimestamp(int(self._now.timestamp() + seconds), UTC)

    def _sign(self, role: str, signed: AnySigned, by: Root | Targets) -> Metadata[AnySigned]:
        metadata = Metadata(signed)
        named = by.get_delegated_role(role)
        for signer in self._signers_of(role, named.keyids):
            sign_with(metadata, signer)
        try:
            by.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except UnsignedMetadataError:
            raise KeysUnavailable(
                f"{role} needs {named.threshold} signatures, and {len(metadata.signatures)} of its "
                f"keys are here; if its keys in {self._settings.path} are others than those in "
                "force, run authmw bundle rotate"
            ) from None
        return metadata

    # --- sending

    def add_to(self, outgoing: Outgoing) -> None:
        """Send all that is next; what it replaces is not needed any more."""
        order = {TARGETS: 1, SNAPSHOT: 2, ROOT: 3, TIMESTAMP: 4}
        for role in sorted(self._next, key=lambda each: order.get(each, 0)):
            metadata = self._next[role]
            is_pointer = role == TIMESTAMP
            content = metadata.to_bytes(_SERIALIZER)
            name = f"{role}.json"
            path = f"{METADATA}/{name if is_pointer else f'{metadata.signed.version}.{name}'}"
            outgoing.add_metadata(path, content, state=f"{METADATA}/{name}", is_pointer=is_pointer)
            if role == ROOT:
                outgoing.set_state(f"{METADATA}/{metadata.signed.version}.{name}", content)
            self._retire(role, metadata, outgoing)

    def _retire(self, role: str, metadata: Metadata[Any], outgoing: Outgoing) -> None:
        # Every root is needed for ever, and the timestamp has one name.
        if role in (ROOT, TIMESTAMP):
            return
        old = self.signed(role, type(metadata.signed))
        if old is None:
            return
        outgoing.retire([f"{METADATA}/{old.signed.version}.{role}.json"])
        if isinstance(old.signed, Targets):
            kept = stored_paths(metadata.signed.targets)
            outgoing.retire(sorted(stored_paths(old.signed.targets) - kept))


def name_head(
    repository: Repository, outgoing: Outgoing, head: CentreHead
) -> dict[str, TargetFile]:
    """Have the centre's head sent, bound to all that was signed by now; returns its target."""
    encoded = dump_centre_head(replace(head, versions=digest_versions(repository.next_versions())))
    named = describe_target(CENTRE_HEAD, encoded)
    outgoing.add_bytes(stored_path(named), encoded)
    outgoing.set_state(HEAD, encoded)
    return {CENTRE_HEAD: named}


def read_head(state: Path) -> CentreHead | None:
    """Return what is published; None: nothing yet."""
    try:
        return parse_centre_head((state / HEAD).read_bytes())
    except FileNotFoundError:
        return None


def delegated_roles(targets: Targets) -> Mapping[str, DelegatedRole]:
    """Return the roles that a role delegates to, by name."""
    delegations = targets.delegations
    return {} if delegations is None else delegations.roles or {}


def stored_paths(targets: Mapping[str, TargetFile]) -> set[str]:
    """Return where in a repository targets lie: named by their hash (consistent snapshots)."""
    return {stored_path(each) for each in targets.values()}


def stored_path(target: TargetFile) -> str:
    """Return where in a repository a target lies."""
    return f"{TARGETS_DIRECTORY}/{target.get_prefixed_paths()[0]}"


def describe_target(path: str, content: Path | bytes) -> TargetFile:
    """Return length and SHA-256 of a target."""
    if isinstance(content, bytes):
        return TargetFile.from_data(path, content, ["sha256"])
    return TargetFile.from_file(path, os.fspath(content), ["sha256"])

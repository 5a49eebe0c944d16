"""Drafts of root and targets: carried to where their keys are, signed there, and brought back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from authmw.bundle.centre.keys import LoadedKey, sign_with
from authmw.bundle.centre.settings import ROOT, TARGETS
from authmw.errors import BundleUnreadable, KeysUnavailable

_PREVIOUS: Final = "previous-root.json"
_RENEWED: Final = "rotation.json"


@dataclass(frozen=True, slots=True)
class Drafts:
    """What is to be signed by keys that may be elsewhere.

    Attributes:
        old_root: in force; None: there is no repository yet.
        root, targets: the next ones; None: the one in force stays.
        renewed: the roles that get new keys.
    """

    old_root: Metadata[Root] | None
    root: Metadata[Root] | None
    targets: Metadata[Targets] | None
    renewed: tuple[str, ...] = ()

    def of(self, role: str) -> Metadata[Any]:
        """Return the draft of a role that has one."""
        found: Metadata[Any] | None = self.root if role == ROOT else self.targets
        assert found is not None  # noqa: S101 - callers ask for roles that have one
        return found

    @property
    def _new_root(self) -> Root:
        root = self.root or self.old_root
        if root is None:
            raise BundleUnreadable("there is no root among the drafts, and none before them")
        return root.signed

    def signers_needed(self) -> dict[str, set[str]]:
        """Return the ids of the keys that may sign each draft."""
        needed: dict[str, set[str]] = {}
        if self.root is not None:
            needed[ROOT] = set(self.root.signed.roles[ROOT].keyids)
            if self.old_root is not None:
                needed[ROOT] |= set(self.old_root.signed.roles[ROOT].keyids)
        if self.targets is not None:
            needed[TARGETS] = set(self._new_root.roles[TARGETS].keyids)
        return needed

    def missing(self) -> dict[str, int]:
        """Return how many signatures each draft lacks that lacks any.

        A root needs the threshold of its own keys, and that of the root before it.
        """
        missing = {}
        if self.root is not None:
            old = None if self.old_root is None else self.old_root.signed
            result = self.root.signed.get_root_verification_result(
                old, self.root.signed_bytes, self.root.signatures
            )
            lacking = max(result.first.missing, result.second.missing)
            if lacking:
                missing[ROOT] = lacking
        if self.targets is not None:
            lacking = self._new_root.get_verification_result(
                TARGETS, self.targets.signed_bytes, self.targets.signatures
            ).missing
            if lacking:
                missing[TARGETS] = lacking
        return missing

    def verified_as(self, wanted: Drafts) -> Drafts:
        """Return these drafts, which say what others say that were made now.

        Raises:
            BundleUnreadable: they say something else.
        """
        for role, ours, theirs in (
            (ROOT, self.root, wanted.root),
            (TARGETS, self.targets, wanted.targets),
        ):
            if _without_expiry(ours) != _without_expiry(theirs):
                raise BundleUnreadable(
                    f"the draft of {role} is not what the settings want now: prepare it again"
                )
        return Drafts(wanted.old_root, self.root, self.targets, self.renewed)

    def sign(self, keys: Iterable[LoadedKey]) -> dict[str, list[str]]:
        """Sign the drafts with each key that may.

        Returns:
            the names of the keys that signed, for each role.

        Raises:
            KeysUnavailable: a key may sign none of them.
        """
        done: dict[str, list[str]] = {}
        for key in keys:
            signed = False
            for role, keyids in self.signers_needed().items():
                if key.signer is not None and key.key.keyid in keyids:
                    sign_with(self.of(role), key.signer)
                    done.setdefault(role, []).append(key.name)
                    signed = True
            if not signed:
                raise KeysUnavailable(f"{key.name} is no key that signs any of this")
        return done


def _without_expiry(metadata: Metadata[Any] | None) -> object:
    if metadata is None:
        return None
    members = metadata.signed.to_dict()
    del members["expires"]
    return members


def write_drafts(directory: Path, drafts: Drafts) -> None:
    """Write drafts, signed or not. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, metadata in (
        (f"{ROOT}.json", drafts.root),
        (f"{TARGETS}.json", drafts.targets),
        (_PREVIOUS, drafts.old_root),
    ):
        path = directory / name
        if metadata is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(metadata.to_bytes())
    (directory / _RENEWED).write_text(json.dumps(list(drafts.renewed)))


def read_drafts(directory: Path) -> Drafts:
    """Read drafts.

    Raises:
        BundleUnreadable: they can't be read.
    """
    try:
        renewed = json.loads((directory / _RENEWED).read_bytes())
        if not isinstance(renewed, list) or not all(isinstance(each, str) for each in renewed):
            raise BundleUnreadable(f"{directory / _RENEWED} is not of our form")
        return Drafts(
            _read(directory / _PREVIOUS, Root),
            _read(directory / f"{ROOT}.json", Root),
            _read(directory / f"{TARGETS}.json", Targets),
            tuple(renewed),
        )
    except (OSError, ValueError, RepositoryError) as error:
        raise BundleUnreadable(f"{directory} has no drafts that can be read: {error}") from error


def _read(path: Path, kind: type[Root | Targets]) -> Any:
    try:
        encoded = path.read_bytes()
    except FileNotFoundError:
        return None
    metadata: Metadata[Any] = Metadata.from_bytes(encoded)
    if not isinstance(metadata.signed, kind):
        raise BundleUnreadable(f"{path} is the metadata of another role")
    return metadata

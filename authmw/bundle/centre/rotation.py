"""Brings the signed roles of a repository in line with CENTRE.toml: makes, changes and renews it.

CENTRE.toml says which keys, thresholds and sites there are to be. Whatever is signed otherwise is
signed anew: by the online keys here, and by the keys of `root` and `targets` here or elsewhere
(`prepare`, `authmw.bundle.centre.ceremony`, `finish`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from securesystemslib.signer import Key
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    Role,
    Root,
    Targets,
)

from authmw.bundle.centre.ceremony import Drafts, read_drafts, write_drafts
from authmw.bundle.centre.keys import (
    HSM,
    NEXT,
    PREVIOUS,
    RECORDED,
    KeyRing,
    generate_key,
    sign_with,
)
from authmw.bundle.centre.locks import locked
from authmw.bundle.centre.outgoing import Outgoing, send
from authmw.bundle.centre.publishing import REPOSITORY_LOCK
from authmw.bundle.centre.repository import (
    Repository,
    delegated_roles,
    name_head,
    read_head,
    stored_paths,
)
from authmw.bundle.centre.settings import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    CentreSettings,
)
from authmw.bundle.centre.stores import Store
from authmw.bundle.sites.names import CENTRE, METADATA, SITES
from authmw.errors import BundleUnreadable, KeysUnavailable, UsageError

_TOP_LEVEL: Final = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)
_WAIT_SECONDS: Final = 300.0


@dataclass(slots=True)
class Rotated:
    """What was changed.

    Attributes:
        roles: that were signed anew; none: everything was as CENTRE.toml says.
        root_version: of the root in force.
        made: files with new private keys.
        replaced: files with keys that count no longer.
        prepared: nothing is published; the drafts are to be signed.
        missing: for each role of the drafts, how many signatures it lacks.
    """

    root_version: int
    roles: list[str] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)
    replaced: list[Path] = field(default_factory=list)
    prepared: bool = False
    missing: dict[str, int] = field(default_factory=dict)


class Rotation:
    """Signs roles anew for one centre.

    Args:
        settings: of the centre.
        keys: its keys.
        store: where the repository is.
        clock: returns epoch seconds.
    """

    def __init__(
        self,
        settings: CentreSettings,
        keys: KeyRing,
        store: Store,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._store = store
        self._clock = clock
        self._made: list[Path] = []
        self._renewed: list[Path] = []

    def run(
        self,
        renewed: Collection[str] = (),
        *,
        is_first: bool = False,
        prepare: Path | None = None,
        finish: Path | None = None,
    ) -> Rotated:
        """Sign what is not as CENTRE.toml says, and publish it.

        Args:
            renewed: roles that get new keys, in new files.
            is_first: there is no repository yet.
            prepare: a directory for drafts of root and targets; nothing is published.
            finish: a directory with these drafts, signed.

        Raises:
            UsageError: a role is unknown, or has keys that can't be made here.
            KeysUnavailable: signatures are missing.
            BundleUnreadable: there is a repository already, or none; drafts are of other settings.
            OSError: something can't be written or sent.
        """
        state = self._settings.state
        # A publish that is under way makes its bundles meanwhile, and signs afterwards.
        with locked(state, REPOSITORY_LOCK, wait_seconds=_WAIT_SECONDS):
            send(state, self._store)
            now = self._clock()
            repository = Repository(self._settings, self._keys.signers, now)
            self._verify_state(repository, is_first=is_first)
            if finish is not None:
                signed = read_drafts(finish)
                renewed = signed.renewed
            drafts = self._draft(repository, renewed)
            if finish is not None:
                drafts = signed.verified_as(drafts)
            if prepare is not None:
                return self._prepare(drafts, prepare)
            return self._finish(repository, drafts, Outgoing(state, now))

    def _verify_state(self, repository: Repository, *, is_first: bool) -> None:
        if is_first and repository.is_initialized:
            raise BundleUnreadable(
                f"{self._settings.state} has a repository already: authmw bundle rotate"
            )
        if not is_first:
            repository.root()

    # --- what CENTRE.toml wants

    def _draft(self, repository: Repository, renewed: Collection[str]) -> Drafts:
        settings = self._settings
        known = {*settings.roles, *settings.delegated}
        for role in renewed:
            if role not in known:
                raise UsageError(f"{settings.path} has no {role.replace('.', ' ')}")
        self._record(renewed)
        keys = {
            role: [self._keys.recorded[name] for name in of_role.keys]
            for role, of_role in {**settings.roles, **settings.delegated}.items()
        }
        old_root = repository.signed(ROOT, Root)
        old_targets = repository.signed(TARGETS, Targets)
        root = self._draft_root(repository, old_root, keys)
        targets = self._draft_targets(repository, old_targets, keys)
        if root is None and old_root is not None:
            by_root = old_root.signed
        else:
            assert root is not None  # noqa: S101 - there is an old one, or a new one
            by_root = root.signed
        if targets is None and old_targets is not None and root is not None:
            # Its keys are others, though what it says is the same.
            before = old_root.signed.roles[TARGETS] if old_root else None
            if by_root.roles[TARGETS] != before:
                targets = self._next_targets(repository, old_targets, keys)
        return Drafts(old_root, root, targets, tuple(renewed))

    def _record(self, renewed: Collection[str]) -> None:
        """Find or make the key of each name that CENTRE.toml has."""
        settings = self._settings
        for role, of_role in {**settings.roles, **settings.delegated}.items():
            for name in of_role.keys:
                if role in renewed:
                    self._renew(role, name)
                else:
                    self._find(name)

    def _find(self, name: str) -> None:
        loaded = self._keys.load(name)
        if loaded is None and name not in self._keys.recorded:
            self._make(Path(name))
            loaded = self._keys.load(name)
        if loaded is not None:
            self._keys.recorded[name] = loaded.key

    def _renew(self, role: str, name: str) -> None:
        if name.startswith(HSM):
            raise UsageError(
                f"{name} can't be replaced from here: make another key in the module, write it "
                f"into the keys of {role}, and run authmw bundle rotate without a role"
            )
        loaded = self._keys.load(name)
        if loaded is not None and loaded.signer is None:
            raise UsageError(
                f"{name} has a public key alone: put the new public key there, and run authmw "
                "bundle rotate without a role"
            )
        path, new = Path(name), Path(f"{name}{NEXT}")
        if not new.exists():
            self._make(new)
        fresh = self._keys.load(str(new))
        assert fresh is not None  # noqa: S101 - it was just made
        self._keys.recorded[name] = fresh.key
        self._renewed.append(path)

    def _make(self, path: Path) -> None:
        generate_key(path)
        self._made.append(path)

    def _draft_root(
        self,
        repository: Repository,
        old: Metadata[Root] | None,
        keys: Mapping[str, Sequence[Key]],
    ) -> Metadata[Root] | None:
        roles = {
            role: Role([each.keyid for each in keys[role]], self._settings.roles[role].threshold)
            for role in _TOP_LEVEL
        }
        if (
            old is not None
            and _same_roles(old.signed.roles, roles)
            and not repository.is_ending(old.signed, ROOT)
        ):
            return None
        signed = Root(
            old.signed.version + 1 if old else 1,
            None,
            repository.expiry_of(self._settings.roles[ROOT].expires_seconds),
            {each.keyid: each for role in _TOP_LEVEL for each in keys[role]},
            roles,
            consistent_snapshot=True,
        )
        return Metadata(signed)

    def _draft_targets(
        self,
        repository: Repository,
        old: Metadata[Targets] | None,
        keys: Mapping[str, Sequence[Key]],
    ) -> Metadata[Targets] | None:
        new = self._next_targets(repository, old, keys)
        if (
            old is not None
            and old.signed.delegations == new.signed.delegations
            and not repository.is_ending(old.signed, TARGETS)
        ):
            return None
        return new

    def _next_targets(
        self,
        repository: Repository,
        old: Metadata[Targets] | None,
        keys: Mapping[str, Sequence[Key]],
    ) -> Metadata[Targets]:
        delegated = self._settings.delegated
        roles = {
            role: DelegatedRole(
                role,
                [each.keyid for each in keys[role]],
                of_role.threshold,
                terminating=True,
                paths=[f"{directory_of(role)}/*"],
            )
            for role, of_role in delegated.items()
        }
        named = {each.keyid: each for role in delegated for each in keys[role]}
        expires = repository.expiry_of(self._settings.roles[TARGETS].expires_seconds)
        version = old.signed.version + 1 if old else 1
        return Metadata(Targets(version, None, expires, {}, Delegations(named, roles)))

    # --- signing and sending

    def _prepare(self, drafts: Drafts, directory: Path) -> Rotated:
        rotated = self._rotated(drafts)
        rotated.prepared = True
        self._sign(drafts)
        rotated.missing = drafts.missing()
        if rotated.roles:
            write_drafts(directory, drafts)
        return rotated

    def _rotated(self, drafts: Drafts) -> Rotated:
        root = drafts.root or drafts.old_root
        assert root is not None  # noqa: S101 - one of them is there
        rotated = Rotated(root.signed.version, made=self._made)
        rotated.roles = [
            role for role, draft in ((ROOT, drafts.root), (TARGETS, drafts.targets)) if draft
        ]
        return rotated

    def _sign(self, drafts: Drafts) -> None:
        for role, keyids in drafts.signers_needed().items():
            metadata = drafts.of(role)
            for signer in self._keys.signers(role, keyids):
                sign_with(metadata, signer)

    def _finish(self, repository: Repository, drafts: Drafts, outgoing: Outgoing) -> Rotated:
        rotated = self._rotated(drafts)
        self._sign(drafts)
        missing = drafts.missing()
        if missing:
            lacking = "; ".join(f"{role} lacks {count}" for role, count in missing.items())
            raise KeysUnavailable(
                f"signatures are missing: {lacking}. Put the keys where {self._settings.path} "
                "names them, or have them sign elsewhere: --prepare DIRECTORY"
            )
        for role in rotated.roles:
            repository.take_signed(role, drafts.of(role))
        self._sign_delegated(repository, rotated, outgoing)
        self._sign_pointers(repository, rotated)
        if rotated.roles:
            outgoing.set_state(RECORDED, self._keys.dump_recorded())
            for path in self._renewed:
                kept = Path(f"{path}{PREVIOUS}")
                outgoing.replace(path, Path(f"{path}{NEXT}"), kept)
                rotated.replaced.append(kept)
            repository.add_to(outgoing)
            outgoing.seal()
            send(self._settings.state, self._store)
        return rotated

    def _sign_delegated(self, repository: Repository, rotated: Rotated, outgoing: Outgoing) -> None:
        """Have delegated roles sign that are new or have new keys; drop those that were removed."""
        if TARGETS not in rotated.roles:
            return
        targets = repository.targets()
        old = repository.signed(TARGETS, Targets)
        before = delegated_roles(old.signed) if old else {}
        snapshot_meta = repository.snapshot().meta if old else {}
        for role, delegated in delegated_roles(targets).items():
            signed = repository.signed(role, Targets)
            if signed is not None and before.get(role) == delegated:
                continue
            known = snapshot_meta.get(f"{role}.json")
            repository.sign_delegated(
                role,
                signed.signed.targets if signed else {},
                # A site of that name may have been there, and been removed.
                least_version=known.version if known else 0,
            )
            rotated.roles.append(role)
        for role in before.keys() - delegated_roles(targets).keys():
            signed = repository.signed(role, Targets)
            if signed is not None:
                outgoing.retire(sorted(stored_paths(signed.signed.targets)))
                outgoing.retire([f"{METADATA}/{signed.signed.version}.{role}.json"])
            outgoing.delete_state(f"{METADATA}/{role}.json")
        self._sign_head(repository, rotated, outgoing)

    def _sign_head(self, repository: Repository, rotated: Rotated, outgoing: Outgoing) -> None:
        """Bind what was published last to the versions that roles have now."""
        head, centre = read_head(self._settings.state), repository.signed(CENTRE, Targets)
        if head is not None and centre is not None:
            named = name_head(repository, outgoing, head)
            repository.sign_delegated(CENTRE, {**centre.signed.targets, **named})
            if CENTRE not in rotated.roles:
                rotated.roles.append(CENTRE)

    def _sign_pointers(self, repository: Repository, rotated: Rotated) -> None:
        if not rotated.roles:
            return
        repository.sign_snapshot()
        repository.sign_timestamp()
        rotated.roles += [SNAPSHOT, TIMESTAMP]


def directory_of(role: str) -> str:
    """Return the directory of the targets of a delegated role."""
    return CENTRE if role == CENTRE else f"{SITES}/{role.removeprefix('site.')}"


def _same_roles(old: dict[str, Role], new: dict[str, Role]) -> bool:
    return all(
        set(old[role].keyids) == set(new[role].keyids)
        and old[role].threshold == new[role].threshold
        for role in new
    )

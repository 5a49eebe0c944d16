"""One part as it was published last: its newest bundle, and the chain that leads there."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from authmw.bundle.centre.outgoing import Outgoing
from authmw.bundle.file import Header, make_delta, open_bundle
from authmw.bundle.sites.chains import Base, Chain, Link, chain_members, parse_chain
from authmw.errors import BundleUnreadable

_CHAIN: Final = "chain.json"
_NEWEST: Final = "newest.bundle"
# Links are kept for sites that lag: so many times what may follow a base.
_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """When a part gets a new base.

    Attributes:
        share: the bytes of the deltas after the base may be this share of the base's.
        most_deltas: so many may follow it.
    """

    share: float
    most_deltas: int


class Part:
    """What all sites with one filter get, or the hot bundle. Paths in its chain are plain names.

    Args:
        state: the directory of the centre.
        name: of the part's directory in it.
        limits: of its chain.
    """

    def __init__(self, state: Path, name: str, limits: Limits) -> None:
        self._state = state
        self.name = f"parts/{name}"
        self._limits = limits
        self.chain = self._load()
        self._new_files: dict[str, Path] = {}
        self._before: dict[str, Path] = {}
        self._newest: Path | None = None

    def _load(self) -> Chain | None:
        try:
            encoded = (self._state / self.name / _CHAIN).read_bytes()
        except FileNotFoundError:
            return None
        return parse_chain(json.loads(encoded), "")

    def file(self, name: str) -> Path:
        """Return where a base or a delta of the chain is."""
        return self._new_files.get(name, self._state / self.name / name)

    def files(self) -> dict[str, Path]:
        """Return base and deltas of the chain by their plain names."""
        if self.chain is None:
            return {}
        names = [self.chain.base.path, *(each.path for each in self.chain.deltas)]
        return {name: self.file(name) for name in names}

    def advance(self, bundle: Path, work: Path) -> bool:
        """Make a new bundle the newest of the part, unless it has the same rows.

        If the newest was read by a clock that was ahead, one with the same rows replaces it as
        well, as a base: sites take a time that is later than the centre's head for forged.

        Args:
            bundle: of a later revision.
            work: a directory for what is made.

        Returns:
            whether it is the newest now; `keep` is to be called then.

        Raises:
            BundleUnreadable: a bundle can't be read.
            OSError: files can't be written.
        """
        with open_bundle(bundle) as opened:
            header = opened.header
        old = self.chain
        has_same_rows = old is not None and old.digest == header.digest
        if has_same_rows and not self.is_later_than(header.origin.read_at):
            return False
        self._before = self.files()
        link = None
        if old is not None and not has_same_rows:
            link = self._make_delta(old, bundle, header, work)
        self.chain = self._extend(old, link, bundle, header)
        self._newest = bundle
        return True

    def is_later_than(self, read_at: int) -> bool:
        """Tell whether the facts of the newest bundle were read after a time, epoch seconds.

        One that can't be read is replaced by a base as well.
        """
        if self.chain is None:
            return False
        try:
            with open_bundle(self._state / self.name / _NEWEST) as newest:
                return newest.header.origin.read_at > read_at
        except BundleUnreadable:
            return True

    def keep(self, outgoing: Outgoing) -> None:
        """Keep what `advance` made, once it is sent."""
        if self.chain is None or self._newest is None:
            return
        after = self.files()
        for name in after.keys() - self._before.keys():
            outgoing.set_state(f"{self.name}/{name}", after[name])
        for name in self._before.keys() - after.keys():
            outgoing.delete_state(f"{self.name}/{name}")
        outgoing.set_state(f"{self.name}/{_NEWEST}", self._newest)
        encoded = json.dumps(chain_members(self.chain)).encode()
        outgoing.set_state(f"{self.name}/{_CHAIN}", encoded)

    def _make_delta(self, old: Chain, bundle: Path, header: Header, work: Path) -> Link | None:
        revision = header.origin.revision
        name = f"{old.revision}-{revision}.delta"
        path = work / f"{self.name.replace('/', '-')}-{name}"
        try:
            make_delta(self._state / self.name / _NEWEST, bundle, path)
        except BundleUnreadable:
            # So much changed that a base is the better answer; a bundle that can't be read would
            # have failed before, except for the one that the base replaces.
            return None
        self._new_files[name] = path
        return Link(name, old.revision, revision, header.digest)

    def _extend(self, old: Chain | None, link: Link | None, bundle: Path, header: Header) -> Chain:
        revision, digest = header.origin.revision, header.digest
        base = Base(f"{revision}.bundle", revision, digest)
        self._new_files[base.path] = bundle
        if old is None or link is None:
            return Chain(revision, digest, base)
        longer = Chain(revision, digest, old.base, (*old.deltas, link))
        if self._is_within_limits(longer):
            return self._trimmed(longer)
        return self._trimmed(replace(longer, base=base))

    def _is_within_limits(self, chain: Chain) -> bool:
        after = chain.deltas_after_base()
        most = self._limits.share * self._size(chain.base.path)
        size = sum(self._size(each.path) for each in after)
        return len(after) <= self._limits.most_deltas and size <= most

    def _trimmed(self, chain: Chain) -> Chain:
        """Drop deltas from before the base, oldest first, while there are too many."""
        deltas = list(chain.deltas)
        needed = len(chain.deltas_after_base())
        most = _KEPT * self._limits.share * self._size(chain.base.path)
        size = sum(self._size(each.path) for each in deltas)
        while len(deltas) > needed and (
            len(deltas) > _KEPT * self._limits.most_deltas or size > most
        ):
            size -= self._size(deltas.pop(0).path)
        return replace(chain, deltas=tuple(deltas))

    def _size(self, name: str) -> int:
        return self.file(name).stat().st_size


def forget_part(directory: Path) -> None:
    """Delete a part that no site has any more."""
    # First what makes it one: killed in the middle, this leaves no part that lacks files.
    (directory / _CHAIN).unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)


def chain_in(chain: Chain, directory: str) -> Chain:
    """Return a chain whose targets lie in a directory of the repository."""
    return replace(
        chain,
        base=replace(chain.base, path=f"{directory}/{chain.base.path}"),
        deltas=tuple([replace(each, path=f"{directory}/{each.path}") for each in chain.deltas]),
    )

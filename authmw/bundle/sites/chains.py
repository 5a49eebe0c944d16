"""Heads and chains: the JSON that says which files make the newest revision.

A chain is a base (a whole bundle) and the deltas around it. The deltas are one sequence, each made
for the revision before it, and the last one makes the newest revision. The base is one of the
revisions on the way; deltas before it are for sites that still have an older one.

A head is a target of the TUF repository. It is parsed after TUF has verified it, and is bounded
all the same: a stolen key must not do more than its role can.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from authmw.bundle.sites.names import CENTRE, site_directory, verify_site_name, verify_target_path
from authmw.errors import BundleUnreadable

FORMAT: Final = 1
"""The member `format` of a head."""
LARGEST_HEAD: Final = 1 << 20
"""Bytes of a head."""
MOST_DELTAS: Final = 2_000
"""Deltas of one chain."""

_LATEST: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Base:
    """A target that is a whole bundle.

    Attributes:
        path: of the target.
        revision, digest: of the bundle (`authmw.bundle.file.Header`).
    """

    path: str
    revision: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A target that is a delta.

    Attributes:
        path: of the target.
        base_revision: what it changes.
        revision, digest: what comes out.
    """

    path: str
    base_revision: int
    revision: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """How to get the newest revision.

    Attributes:
        revision, digest: of the newest revision.
        base: a whole bundle, on the way to it.
        deltas: in their order, from before the base or from it on to the newest revision.
    """

    revision: int
    digest: bytes
    base: Base
    deltas: tuple[Link, ...] = ()

    def deltas_after_base(self) -> tuple[Link, ...]:
        """Return the deltas that make the newest revision of the base."""
        return self._after(self.base.revision, self.base.digest) or ()

    def deltas_from(self, revision: int, digest: bytes) -> tuple[Link, ...] | None:
        """Return the deltas that make the newest revision of another.

        Returns:
            none, if it is the newest; None: no deltas start there, so the base has to be fetched.
        """
        if (revision, digest) == (self.revision, self.digest):
            return ()
        return self._after(revision, digest)

    def _after(self, revision: int, digest: bytes) -> tuple[Link, ...] | None:
        for place, link in enumerate(self.deltas):
            # The digest of what the first one changes is known by the delta itself alone.
            before = digest if place == 0 else self.deltas[place - 1].digest
            if link.base_revision == revision and before == digest:
                return self.deltas[place:]
        return None


@dataclass(frozen=True, slots=True)
class CentreHead:
    """The target `centre/head.json`.

    Attributes:
        revision: the newest one; the part of a site whose head did not change is of it.
        read_at: epoch seconds by the centre's clock: when the facts of `revision` were read.
        hot: the chain of the bundle with revocation events alone; None: none are published.
        hot_read_at: epoch seconds: when the events of `hot` were read last. They were the same,
            so that bundle is as if it had been read then.
        hot_complete_from: epoch seconds: `hot` has each event that can cover a token issued then
            or later.
        versions: 32 bytes: `digest_versions` of the snapshot that this head is of; None: the
            centre does not say.
    """

    revision: int
    read_at: int
    hot: Chain | None = None
    hot_read_at: int | None = None
    hot_complete_from: int | None = None
    versions: bytes | None = None


@dataclass(frozen=True, slots=True)
class SiteHead:
    """The target `sites/NAME/head.json`.

    Attributes:
        site: its name.
        warm: the chain of the site's part, without revocation events.
    """

    site: str
    warm: Chain


def digest_versions(versions: Mapping[str, int]) -> bytes:
    """Return a digest of the versions of all roles but the centre's, which signs it.

    The centre's head says that every site's part is current. So it has to be bound to these parts:
    who has the keys of snapshot and timestamp could show it to a site beside an old part.

    Args:
        versions: by the names of the metadata files, as a snapshot has them.
    """
    others = {name: version for name, version in versions.items() if name != f"{CENTRE}.json"}
    return hashlib.sha256(_dump(others)).digest()


# --- to JSON


def dump_centre_head(head: CentreHead) -> bytes:
    """Return the JSON of a head."""
    members = {
        "format": FORMAT,
        "revision": head.revision,
        "read_at": head.read_at,
        "hot": None if head.hot is None else chain_members(head.hot),
        "hot_read_at": head.hot_read_at,
        "hot_complete_from": head.hot_complete_from,
        "versions": None if head.versions is None else head.versions.hex(),
    }
    return _dump(members)


def dump_site_head(head: SiteHead) -> bytes:
    """Return the JSON of a head."""
    return _dump({"format": FORMAT, "site": head.site, "warm": chain_members(head.warm)})


def chain_members(chain: Chain) -> dict[str, Any]:
    """Return a chain as JSON can hold it."""
    base = chain.base
    return {
        "revision": chain.revision,
        "digest": chain.digest.hex(),
        "base": {"path": base.path, "revision": base.revision, "digest": base.digest.hex()},
        "deltas": [
            {
                "path": link.path,
                "base_revision": link.base_revision,
                "revision": link.revision,
                "digest": link.digest.hex(),
            }
            for link in chain.deltas
        ],
    }


def _dump(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


# --- from JSON, which may be hostile


def parse_centre_head(encoded: bytes) -> CentreHead:
    """Read `centre/head.json`. Raises BundleUnreadable: it is not of our form; says why."""
    members = _parse(encoded)
    _verify_members("the head", members, ("format", "revision", "read_at", "hot", *_HOT_TIMES))
    hot = None
    if members["hot"] is not None:
        hot = parse_chain(members["hot"], CENTRE)
    read_at, complete_from = (
        None if hot is None else _number("a time of `hot`", members[name]) for name in _HOT_TIMES
    )
    versions = members.get("versions")
    return CentreHead(
        _number("revision", members["revision"], least=1),
        _number("read_at", members["read_at"]),
        hot,
        read_at,
        complete_from,
        None if versions is None else _digest(versions),
    )


_HOT_TIMES: Final = ("hot_read_at", "hot_complete_from")


def parse_site_head(encoded: bytes, site: str) -> SiteHead:
    """Read `sites/NAME/head.json`.

    Raises:
        BundleUnreadable: it is not of our form, or another site's; says why.
    """
    members = _parse(encoded)
    _verify_members("the head", members, ("format", "site", "warm"))
    if members["site"] != verify_site_name(site):
        raise BundleUnreadable(f"the head is of another site than {site!r}")
    return SiteHead(site, parse_chain(members["warm"], site_directory(site)))


def parse_chain(members: object, directory: str) -> Chain:
    """Read a chain whose targets lie in a directory.

    Raises:
        BundleUnreadable: it is not of our form, or its parts don't follow each other.
    """
    chain = _object("the chain", members, ("revision", "digest", "base", "deltas"))
    base = _object("the base", chain["base"], ("path", "revision", "digest"))
    deltas = chain["deltas"]
    if not isinstance(deltas, list) or len(deltas) > MOST_DELTAS:
        raise BundleUnreadable(f"the chain has no list of at most {MOST_DELTAS} deltas")
    parsed = Chain(
        *_state(chain),
        Base(verify_target_path(base["path"], directory), *_state(base)),
        tuple([_parse_link(each, directory) for each in deltas]),
    )
    _verify_sequence(parsed)
    return parsed


def _parse_link(members: object, directory: str) -> Link:
    link = _object("a delta", members, ("path", "base_revision", "revision", "digest"))
    base_revision = _number("base_revision", link["base_revision"], least=1)
    return Link(verify_target_path(link["path"], directory), base_revision, *_state(link))


def _verify_sequence(chain: Chain) -> None:
    newest = (chain.revision, chain.digest)
    for link, following in zip(chain.deltas, chain.deltas[1:], strict=False):
        if link.revision != following.base_revision:
            raise BundleUnreadable("the deltas of the chain don't follow each other")
    for link in chain.deltas:
        if link.revision <= link.base_revision:
            raise BundleUnreadable("a delta of the chain makes no later revision")
    if chain.deltas and (chain.deltas[-1].revision, chain.deltas[-1].digest) != newest:
        raise BundleUnreadable("the last delta does not make the chain's revision")
    base = (chain.base.revision, chain.base.digest)
    if base != newest and chain.deltas_from(*base) is None:
        raise BundleUnreadable("no deltas make the chain's revision of its base")


def _state(members: Mapping[str, Any]) -> tuple[int, bytes]:
    return _number("revision", members["revision"], least=1), _digest(members["digest"])


def _digest(digest: object) -> bytes:
    if not isinstance(digest, str) or len(digest) != 64:
        raise BundleUnreadable("a digest is not of our form")
    try:
        packed = bytes.fromhex(digest)
    except ValueError:
        packed = b""
    # Upper-case digits and spaces are read as well.
    if packed.hex() != digest:
        raise BundleUnreadable("a digest is not of our form")
    return packed


def _number(name: str, value: object, *, least: int = 0) -> int:
    if type(value) is not int or not least <= value < _LATEST:
        raise BundleUnreadable(f"{name} of the head is not of our form")
    return value


def _parse(encoded: bytes) -> dict[str, Any]:
    if len(encoded) > LARGEST_HEAD:
        raise BundleUnreadable(f"the head has more than {LARGEST_HEAD} bytes")
    try:
        members = json.loads(encoded)
    except (ValueError, RecursionError):
        raise BundleUnreadable("the head is no JSON document") from None
    if not isinstance(members, dict):
        raise BundleUnreadable("the head is no JSON object")
    if members.get("format") != FORMAT or type(members["format"]) is not int:
        raise BundleUnreadable(f"the head is of another format than {FORMAT}: update authmw")
    return members


def _object(what: str, value: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BundleUnreadable(f"{what} is no JSON object")
    _verify_members(what, value, names)
    return value


def _verify_members(what: str, members: Mapping[str, Any], names: tuple[str, ...]) -> None:
    # Others than these are for later versions that say the same to ours.
    for name in names:
        if name not in members:
            raise BundleUnreadable(f"{what} has no {name!r}")

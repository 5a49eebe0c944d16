"""Brings a bundle on the disk up to a chain, one step that a crash can't halve after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from authmw.bundle.file import (
    Header,
    apply_delta,
    install_bundle,
    open_bundle,
    place_bundle,
    read_delta_header,
)
from authmw.bundle.file.delta import LARGEST_DELTA
from authmw.bundle.sites.chains import Base, Chain, Link
from authmw.bundle.sync.errors import Kind, SyncFailed
from authmw.bundle.sync.failures import explained
from authmw.errors import BundleUnreadable

_log = logging.getLogger(__name__)

Fetch = Callable[[str, int | None], Path]
"""Returns where a target lies, of at most so many bytes; see `Repository.fetch`."""


def read_header_of(path: Path) -> Header | None:
    """Return the header of the bundle at a path; None: there is none that can be used."""
    try:
        with open_bundle(path, cache_kib=0) as bundle:
            return bundle.header
    except BundleUnreadable:
        return None


def is_newest(header: Header | None, chain: Chain, read_at: int) -> bool:
    """Tell whether a bundle is what the chain makes.

    One with the same facts is, even if it is of an earlier revision: the centre confirms them. A
    later revision or time than the centre's is not: a stolen key may have signed it.

    Args:
        header: of the bundle; None: there is none.
        chain: to the newest revision.
        read_at: epoch seconds: when the centre read the newest facts.
    """
    return (
        header is not None
        and header.digest == chain.digest
        and header.origin.revision <= chain.revision
        and header.origin.read_at <= read_at
    )


def bring_up_to(
    chain: Chain, path: Path, fetch: Fetch, *, staging: Path, mode: int, read_at: int
) -> bool:
    """Make the bundle at a path the newest revision of a chain.

    Deltas are applied to the bundle itself, each in one step. If none lead there, a base and its
    deltas are made into the newest revision at `staging`, which then replaces the bundle in one
    step, whether its number is greater or not: TUF has verified that it is the newest.

    Args:
        chain: to the newest revision.
        path: of the bundle in force, if there is one.
        fetch: gets a target.
        staging: where a bundle is made; what a killed process left there is used.
        mode: of the file, if there is none yet.
        read_at: see `is_newest`.

    Returns:
        whether anything was done.

    Raises:
        SyncFailed: a target can't be had, or is not what the chain says; the bundle in force is
            one on the way, or as it was.
    """
    header = read_header_of(path)
    if is_newest(header, chain, read_at):
        return False
    if header is not None and header.origin.read_at <= read_at:
        deltas = chain.deltas_from(header.origin.revision, header.digest)
        if deltas and _apply_all(path, deltas, fetch):
            return True
    _make_from_base(staging, chain, fetch)
    with explained(f"revision {chain.revision} can't be put in force"):
        place_bundle(path, staging, mode=mode)
        staging.unlink()
    return True


def _apply_all(path: Path, deltas: tuple[Link, ...], fetch: Fetch) -> bool:
    """Apply deltas to the bundle in force; False: one does not fit, so a base is needed."""
    for link in deltas:
        file = fetch(link.path, LARGEST_DELTA)
        try:
            with explained(f"the delta {link.path}"):
                _apply(path, link, file)
        except SyncFailed as error:
            if error.kind is not Kind.BUNDLE:
                raise
            _log.warning("%s: %s; a whole bundle is fetched instead", path, error)
            return False
    return True


def _apply(path: Path, link: Link, file: Path) -> None:
    """Apply one delta. Raises BundleUnreadable, OSError."""
    header = read_delta_header(file)
    made = (header.result.origin.revision, header.result.digest)
    if (header.base_revision, *made) != (link.base_revision, link.revision, link.digest):
        raise BundleUnreadable(f"the delta {link.path} is another one than the head names")
    apply_delta(path, file)


def _make_from_base(staging: Path, chain: Chain, fetch: Fetch) -> None:
    header = read_header_of(staging)
    deltas = None
    if header is not None:
        deltas = chain.deltas_from(header.origin.revision, header.digest)
    if deltas is None:
        _install_base(staging, chain.base, fetch)
        deltas = chain.deltas_after_base()
    for link in deltas:
        file = fetch(link.path, LARGEST_DELTA)
        with explained(f"the delta {link.path}"):
            _apply(staging, link, file)


def _install_base(staging: Path, base: Base, fetch: Fetch) -> None:
    file = fetch(base.path, None)
    with explained(f"the base {base.path}"):
        staging.unlink(missing_ok=True)
        header = install_bundle(staging, file, mode=0o600)
        if (header.origin.revision, header.digest) != (base.revision, base.digest):
            staging.unlink()
            raise BundleUnreadable("it is another bundle than the head names")
    file.unlink(missing_ok=True)

"""Deletes what no site can need any more, once the new head is out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tuf.api.metadata import Targets

from authmw.bundle.centre.durable import write
from authmw.bundle.centre.outgoing import RETIRED
from authmw.bundle.centre.repository import Repository, stored_paths
from authmw.bundle.centre.settings import CentreSettings
from authmw.bundle.centre.stores import Store
from authmw.bundle.sites.names import METADATA

# Between two looks at the list.
_SECONDS: Final = 300.0
_MARK: Final = "cleaned"


def clean(settings: CentreSettings, repository: Repository, store: Store, now: float) -> None:
    """Delete targets and metadata that were replaced long enough ago; now and then.

    Raises:
        OSError: something can't be deleted; the next call tries again.
    """
    mark, retired = settings.state / _MARK, settings.state / RETIRED
    if not retired.exists() or not _is_due(mark, now):
        return
    mark.touch()
    os.utime(mark, (now, now))
    kept: list[str] = []
    due: set[str] = set()
    for line in retired.read_text(errors="replace").splitlines():
        at, _, path = line.partition(" ")
        if not (at.isascii() and at.isdigit() and path):
            # A disk that was full, or a power cut, has left a part of a line.
            continue
        is_metadata = path.startswith(f"{METADATA}/")
        seconds = settings.keep_metadata_seconds if is_metadata else settings.keep_seconds
        if now - int(at) < seconds:
            kept.append(line)
        else:
            due.add(path)
    if due:
        # A file may be in use again: the same bytes have the same name.
        store.delete(sorted(due - _in_use(repository, settings.state)))
        write(retired, "".join(f"{line}\n" for line in kept).encode())


def _is_due(mark: Path, now: float) -> bool:
    try:
        # abs(): the clock may have been set back.
        return abs(now - mark.stat().st_mtime) >= _SECONDS
    except FileNotFoundError:
        return True


def _in_use(repository: Repository, state: Path) -> set[str]:
    paths: set[str] = set()
    for file in (state / METADATA).glob("*.json"):
        role = file.name.removesuffix(".json")
        if role == "centre" or role.startswith("site."):
            signed = repository.signed(role, Targets)
            if signed is not None:
                paths |= stored_paths(signed.signed.targets)
                paths.add(f"{METADATA}/{signed.signed.version}.{role}.json")
    return paths

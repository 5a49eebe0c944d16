"""Opens the storage of a centre."""

from __future__ import annotations

from pathlib import Path

from authmw.bundle.centre.s3_store import S3Store
from authmw.bundle.centre.settings import CentreSettings
from authmw.bundle.centre.stores import DirectoryStore, Store


def open_store(settings: CentreSettings) -> Store:
    """Return where the repository is.

    Raises:
        UsageError: a package is missing.
    """
    where = settings.repository
    return DirectoryStore(where) if isinstance(where, Path) else S3Store(where)

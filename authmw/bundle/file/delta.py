"""The form of a delta: the rows that went and came between two revisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from authmw.bundle.file.header import Header


@dataclass(frozen=True, slots=True)
class DeltaHeader:
    """What a delta says of itself.

    Attributes:
        base_revision, base_digest: of the revision that it changes.
        result: the header of the revision that comes out.
    """

    base_revision: int
    base_digest: bytes
    result: Header


def read_delta_header(path: Path) -> DeltaHeader:
    """Read the first part of a delta.

    Raises:
        BundleUnreadable: it is no delta of our format.
    """
    raise NotImplementedError

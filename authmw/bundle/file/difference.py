"""Makes the delta between two revisions."""

from __future__ import annotations

from pathlib import Path

from authmw.bundle.file.delta import DeltaHeader


def make_delta(old: Path, new: Path, out: Path) -> DeltaHeader:
    """Write the delta that makes `new` of `old`; both are read once, in the order of their keys.

    Raises:
        BundleUnreadable: a bundle can't be read, or so much changed that whoever has `old` should
            fetch `new`.
        OSError: the delta can't be written.
    """
    raise NotImplementedError

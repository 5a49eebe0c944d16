"""Makes the part of each distinct filter of the facts that were read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authmw.bundle.centre.facts import BundleFacts
from authmw.bundle.centre.parts import Limits, Part
from authmw.bundle.centre.settings import CentreSettings
from authmw.bundle.export import export
from authmw.bundle.export.selection import Filter, Selection
from authmw.bundle.facts import pack_json
from authmw.bundle.file import Origin, open_bundle

MADE_OF: Final = "made-of"
"""The file of a part in the state that says what it was made of last; see `Whole`."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A bundle of all facts.

    Attributes:
        path: of it.
        origin: what it says of itself, and what each part says.
        made_of: the same parts come of the same facts and the same code: names both.
    """

    path: Path
    origin: Origin
    made_of: str


def make_parts(
    settings: CentreSettings, whole: Whole, work: Path, warnings: list[str]
) -> dict[Filter, Part]:
    """Make the part of each distinct filter, and its delta.

    Args:
        settings: of the centre.
        whole: what the parts are of.
        work: a directory for what is made.
        warnings: gets what a filter names and the facts don't have.

    Raises:
        BundleUnreadable: a bundle can't be read.
        OSError: files can't be written.
    """
    parts: dict[Filter, Part] = {}
    limits = Limits(settings.rebase_share, settings.most_deltas)
    for site, each in settings.sites.items():
        if each.filter in parts:
            continue
        name = name_of(each.filter)
        part = parts[each.filter] = Part(settings.state, name, limits)
        # Each part says it for itself: one that was left behind is of older facts than the others.
        is_same = _read(settings.state / part.name / MADE_OF) == whole.made_of
        if is_same and part.chain is not None and not part.is_later_than(whole.origin.read_at):
            continue
        bundle = whole.path
        if each.filter.setting:
            bundle = work / f"{name}.bundle"
            unknown = _select(whole, each.filter, bundle)
            warnings += [f"site {site}: {what}; the part lacks it" for what in unknown]
        part.advance(bundle, work)
    return parts


def _select(whole: Whole, chosen: Filter, path: Path) -> list[str]:
    """Write a part; returns what the filter names that is not there.

    A project that was deleted must not keep the other sites from being published.
    """
    unknown: list[str] = []
    with (
        open_bundle(whole.path) as bundle,
        Selection(BundleFacts(bundle), chosen, unknown.append) as selection,
    ):
        export(selection, path, whole.origin)
    return unknown


def name_of(chosen: Filter) -> str:
    """Return the name of the part of a filter."""
    return hashlib.sha256(pack_json(chosen.setting).encode()).hexdigest()[:16]


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None

"""A centre, and the web server of its repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bundle.centre.centres import Centre, Site, serve


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    """A centre in a directory, with the site `edge-1`."""
    centre = Centre(tmp_path)
    centre.configure()
    return centre


@pytest.fixture
def url(centre: Centre) -> Iterator[str]:
    """Where the centre's repository is served."""
    with serve(centre.www) as served:
        yield served


@pytest.fixture
def site(centre: Centre, url: str, tmp_path: Path) -> Callable[..., Site]:
    """Makes a site of the centre by its name; it trusts the centre's first root."""

    def make(name: str = "edge-1", directory: str | None = None) -> Site:
        return Site(tmp_path / "sites" / (directory or name), name, url, centre.root)

    return make

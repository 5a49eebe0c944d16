"""What several tests of bundles use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundle.keystone_worlds import KeystoneOfWorlds
from tests.bundle.sites import MakeFilter, Site
from tests.support.clock import Clock
from tests.support.filters import Filter


@pytest.fixture(scope="session")
def keystone_of_worlds(
    new_keystone_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeystoneOfWorlds]:
    """A real Keystone that builds worlds."""
    keystone = KeystoneOfWorlds(tmp_path_factory.mktemp("worlds"), new_site=new_keystone_site)
    yield keystone
    keystone.stop()


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    made = Site(tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def make_filter(site: Site) -> Iterator[MakeFilter]:
    with contextlib.ExitStack() as made:

        def make(**options: str) -> Filter:
            protected = Filter({**site.options, **options}, site.clock)
            made.callback(protected.close)
            return protected

        yield make

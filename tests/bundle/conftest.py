"""What several tests of bundles use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundle.keystone_worlds import KeystoneOfWorlds


@pytest.fixture(scope="session")
def keystone_of_worlds(
    new_keystone_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeystoneOfWorlds]:
    """A real Keystone that builds worlds."""
    keystone = KeystoneOfWorlds(tmp_path_factory.mktemp("worlds"), new_site=new_keystone_site)
    yield keystone
    keystone.stop()

"""One good site for each test, with the session's Keystone and memcached."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults.site import People, Site
from tests.support.keystone import Keystone
from tests.support.memcached import Memcached


@pytest.fixture(scope="module")
def people(keystone: Keystone) -> People:
    return People(keystone.jws)


@pytest.fixture
def site(
    keystone: Keystone,
    people: People,
    memcached: Memcached,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        yield Site(keystone, people, memcached, tmp_path, monkeypatch, stack)

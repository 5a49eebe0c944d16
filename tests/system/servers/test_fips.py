"""Hosts in FIPS mode, where hashes that are not approved raise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memcached import Memcached
from tests.support.programs import run_python


@pytest.fixture
def second_memcached(tmp_path: Path) -> Iterator[Memcached]:
    server = Memcached(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("kind", ["openssl-3", "rhel-8"])
def test_filters_with_two_memcached_servers_accept_tokens(
    kind: str, empty_memcached: Memcached, second_memcached: Memcached
) -> None:
    servers = f"{empty_memcached.address},{second_memcached.address}"
    finished = run_python("-m", "tests.system.servers.fips_host", kind, servers)
    assert finished.stdout.split() == ["200"] * 8, finished.stderr
    assert "shared cache is at fault" not in finished.stderr
    assert empty_memcached.count_items() + second_memcached.count_items() >= 2

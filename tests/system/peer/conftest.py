"""Pairs of filters, ours and keystonemiddleware's, on the same real Keystone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.keystone import Keystone
from tests.support.memcached import Memcached
from tests.system.peer.configurations import AnythingCache, Backends, TextCache
from tests.system.peer.contest import Contest
from tests.system.peer.estate import Estate


@pytest.fixture(scope="session")
def backends(
    keystone: Keystone, memcached: Memcached, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backends]:
    """Who there is at Keystone, and what filters can be pointed at."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        yield Backends(
            estate=Estate(keystone),
            memcached=memcached,
            directory=tmp_path_factory.mktemp("differential"),
            silent=silent,
            environ={"swift.text": TextCache(), "swift.anything": AnythingCache()},
        )


@pytest.fixture(scope="module")
def contest(backends: Backends) -> Iterator[Contest]:
    """Answers what differs in a case; every case is sent once."""
    contest = Contest(backends)
    yield contest
    contest.close()

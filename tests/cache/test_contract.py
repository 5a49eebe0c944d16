"""The contract of `BytesCache`, run on every cache."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from authmw.cache.environ import EnvironCache
from authmw.cache.memcached import MemcachedCache, open_memcached
from authmw.cache.shared import MAX_VALUE_BYTES, BytesCache
from authmw.runtime.request import serving
from tests.support.certificates import Authority
from tests.support.memcached import Memcached
from tests.support.memcached_kinds import (
    CAN_MAKE_SASL_USERS,
    UnixMemcached,
    make_sasl_memcached,
    make_settings,
    make_tls_memcached,
)
from tests.support.shared_cache import OldSwiftCache, SwiftCache, environ_with

KEY = "authmw:" + "0f" * 32
OTHER_KEY = "authmw:" + "f0" * 32


@pytest.fixture(scope="module")
def tls_options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    directory = tmp_path_factory.mktemp("tls")
    server = make_tls_memcached(directory, Authority(directory, "cache-authority"))
    server.start()
    yield server.options
    server.stop()


@pytest.fixture(scope="module")
def sasl_options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if CAN_MAKE_SASL_USERS is None:
        pytest.skip("saslpasswd2 (package sasl2-bin) is not installed")
    server = make_sasl_memcached(tmp_path_factory.mktemp("sasl"))
    server.start()
    yield server.options
    server.stop()


@pytest.fixture(scope="module")
def unix_options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    server = UnixMemcached(tmp_path_factory.mktemp("unix"))
    server.start()
    yield server.options
    server.stop()


NETWORKED = ["memcached", "tls", "sasl", "unix", "environ without"]
OVER_THE_NETWORK = [pytest.param(kind, marks=pytest.mark.heavy) for kind in NETWORKED]
IN_THE_ENVIRON = ["environ", "old environ"]


def open_memcached_of(kind: str, fixtures: pytest.FixtureRequest) -> MemcachedCache:
    if kind in ("memcached", "environ without"):
        server: Memcached = fixtures.getfixturevalue("empty_memcached")
        options = {"memcached_servers": server.address}
    else:
        options = fixtures.getfixturevalue(f"{kind}_options")
    cache = open_memcached(make_settings(**{"memcache_pool_socket_timeout": "10", **options}))
    cache.delete(KEY)
    cache.delete(OTHER_KEY)
    return cache


def open_over_the_network(kind: str, fixtures: pytest.FixtureRequest) -> BytesCache:
    cache = open_memcached_of(kind, fixtures)
    return EnvironCache("swift.cache", fallback=cache) if kind == "environ without" else cache


@pytest.fixture(params=OVER_THE_NETWORK)
def networked(request: pytest.FixtureRequest) -> BytesCache:
    return open_over_the_network(request.param, request)


@pytest.fixture(params=[*OVER_THE_NETWORK, *IN_THE_ENVIRON])
def cache(request: pytest.FixtureRequest) -> Iterator[BytesCache]:
    if request.param in NETWORKED:
        yield open_over_the_network(request.param, request)
        return
    held = OldSwiftCache() if request.param == "old environ" else SwiftCache()
    with serving(environ_with(held)):
        yield EnvironCache("swift.cache")


def test_value_comes_back_as_it_was(cache: BytesCache) -> None:
    value = bytes(range(256)) + b"\r\nEND\r\nVALUE "
    cache.set(KEY, value, 60)
    assert cache.get(KEY) == value


@pytest.mark.parametrize("size", [0, 1, 4096, 100_000, MAX_VALUE_BYTES])
def test_value_of_any_size_up_to_the_largest_comes_back(cache: BytesCache, size: int) -> None:
    value = os.urandom(size)
    cache.set(KEY, value, 60)
    assert cache.get(KEY) == value


def test_what_was_never_set_is_not_there(cache: BytesCache) -> None:
    assert cache.get(KEY) is None


def test_last_value_wins(cache: BytesCache) -> None:
    cache.set(KEY, b"first", 60)
    cache.set(KEY, b"second", 60)
    assert cache.get(KEY) == b"second"


def test_deleted_value_is_gone_and_others_stay(cache: BytesCache) -> None:
    cache.set(KEY, b"one", 60)
    cache.set(OTHER_KEY, b"other", 60)
    cache.delete(KEY)
    assert (cache.get(KEY), cache.get(OTHER_KEY)) == (None, b"other")


def test_deleting_what_is_not_there_is_no_fault(cache: BytesCache) -> None:
    cache.delete(KEY)
    assert cache.get(KEY) is None


def test_time_to_live_beyond_thirty_days_is_no_date_in_the_past(cache: BytesCache) -> None:
    cache.set(KEY, b"long", 40 * 24 * 3600)
    assert cache.get(KEY) == b"long"


def test_threads_get_their_own_values(networked: BytesCache) -> None:
    wrong: list[object] = []

    def use(number: int) -> None:
        key, value = f"authmw:{number:064x}", bytes([number]) * (number * 1000 + 1)
        for _ in range(20):
            networked.set(key, value, 60)
            got = networked.get(key)
            if got != value:
                wrong.append((number, got))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_fork_of_a_process_that_used_the_cache_uses_connections_of_its_own(
    networked: BytesCache,
) -> None:
    networked.set(KEY, b"before", 60)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for _ in range(200):
                networked.set(OTHER_KEY, b"child", 60)
                if networked.get(OTHER_KEY) != b"child":
                    break
            else:
                status = 0
        finally:
            os._exit(status)
    seen = {networked.get(KEY) for _ in range(200)}
    _, status = os.waitpid(child, 0)
    assert (seen, status) == ({b"before"}, 0)


@pytest.fixture(params=OVER_THE_NETWORK[:4])
def memcached_cache(request: pytest.FixtureRequest) -> MemcachedCache:
    return open_memcached_of(request.param, request)


def test_only_what_is_not_there_can_be_added(memcached_cache: MemcachedCache) -> None:
    assert memcached_cache.add(KEY, b"first", 60)
    assert not memcached_cache.add(KEY, b"second", 60)
    assert memcached_cache.get(KEY) == b"first"
    memcached_cache.delete(KEY)
    assert memcached_cache.add(KEY, b"third", 40 * 24 * 3600)
    assert memcached_cache.get(KEY) == b"third"


def test_of_many_that_add_at_the_same_moment_one_succeeds(memcached_cache: MemcachedCache) -> None:
    added: list[int] = []
    ready = threading.Barrier(16)

    def add(number: int) -> None:
        ready.wait(60)
        if memcached_cache.add(KEY, str(number).encode(), 60):
            added.append(number)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert memcached_cache.get(KEY) == str(added[0]).encode()
    assert len(added) == 1

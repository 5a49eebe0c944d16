"""The store of shared events in a real memcached: one poll for a whole deployment."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

import pytest

from authmw.build.cache import make_namespaces
from authmw.cache.memcached import MemcachedCache, open_memcached
from authmw.cache.shared import MAX_VALUE_BYTES
from authmw.errors import CacheError
from authmw.revocation.sharing import record as shared_record
from authmw.revocation.sharing.memcached_store import MemcachedStore
from tests.support.clock import Clock
from tests.support.memcached import Memcached
from tests.support.memcached_kinds import make_settings
from tests.support.revocation_site import EventServer, Site, make_feed, make_site
from tests.support.shared_cache import ENDPOINT
from tests.support.waiting import wait_for

NOW = 1_700_000_000.0
SECRETS = {"memcache_secret_key": "the secret", "memcache_secret_key_previous": "the old one"}
STRATEGIES = ["None", "MAC", "ENCRYPT"]


def open_cache(memcached: Memcached, **options: str) -> MemcachedCache:
    return open_memcached(make_settings(memcached_servers=memcached.address, **options))


def open_store(
    memcached: Memcached, strategy: str = "ENCRYPT", *, endpoint: str = ENDPOINT, **options: str
) -> MemcachedStore:
    options = {**({} if strategy == "None" else SECRETS), **options}
    settings = make_settings(
        memcached_servers=memcached.address, memcache_security_strategy=strategy, **options
    )
    return MemcachedStore(open_memcached(settings), make_namespaces(settings, endpoint))


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(empty_memcached: Memcached, strategy: str) -> MemcachedStore:
    return open_store(empty_memcached, strategy)


def incompressible(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


# Records


def test_what_was_written_is_read_by_all_who_share_it(
    empty_memcached: Memcached, store: MemcachedStore, strategy: str
) -> None:
    assert store.read() is None
    store.write(b"one")
    store.write(b"two")
    assert open_store(empty_memcached, strategy).read() == b"two"
    elsewhere = open_store(empty_memcached, strategy, endpoint="https://other.example")
    assert elsewhere.read() is None


@pytest.mark.parametrize("size", [0, 1, MAX_VALUE_BYTES - 1000])
def test_a_record_comes_back(store: MemcachedStore, size: int) -> None:
    record = incompressible(size)
    store.write(record)
    assert store.read() == record


def test_a_record_that_is_too_large_is_a_fault_and_leaves_the_old_one(
    store: MemcachedStore,
) -> None:
    store.write(b"old")
    with pytest.raises(CacheError, match="too many for an entry of memcached"):
        store.write(incompressible(MAX_VALUE_BYTES + 1))
    assert store.read() == b"old"


def test_who_does_not_know_the_secret_writes_nothing_that_is_believed(
    empty_memcached: Memcached,
) -> None:
    store = open_store(empty_memcached, "MAC")
    store.write(b"good")
    assert store.try_lease("e1", 60, NOW)
    namespace = make_namespaces(
        make_settings(memcache_security_strategy="MAC", **SECRETS), ENDPOINT
    )[0]
    record, lease = (
        namespace.keys.make_key("revocation", name) for name in (b"record", b"leasee1")
    )
    cache = open_cache(empty_memcached)
    sealed, other = cache.get(record), cache.get(lease)
    assert sealed is not None
    assert other is not None
    for garbage in (b"", b"x", sealed[:-1], sealed + b"x", sealed[:40] + b"!" + sealed[41:], other):
        cache.set(record, garbage, 60)
        with pytest.raises(CacheError, match="no seal of ours"):
            store.read()


@pytest.mark.parametrize(
    ("entry", "message"),
    [(b"", "is cut off"), (b"not zlib", "can't be decompressed"), (b"x\x9c", "is cut off")],
)
def test_what_is_no_record_of_ours_is_a_fault_and_is_written_over(
    empty_memcached: Memcached, entry: bytes, message: str
) -> None:
    store = open_store(empty_memcached, "None")
    namespace = make_namespaces(make_settings(), ENDPOINT)[0]
    key = namespace.keys.make_key("revocation", b"record")
    open_cache(empty_memcached).set(key, namespace.seal(key, entry), 60)
    with pytest.raises(CacheError, match=message):
        store.read()
    store.write(b"one")
    assert store.read() == b"one"


def test_records_under_the_previous_secret_are_read(empty_memcached: Memcached) -> None:
    old = {"memcache_secret_key": "the old one", "memcache_secret_key_previous": ""}
    open_store(empty_memcached, **old).write(b"old")
    rolled_out = open_store(empty_memcached)
    assert rolled_out.read() == b"old"
    rolled_out.write(b"new")
    assert rolled_out.read() == b"new"


# The lease


def test_one_gets_the_lease_of_an_edition(
    empty_memcached: Memcached, store: MemcachedStore, strategy: str
) -> None:
    other = open_store(empty_memcached, strategy)
    assert store.try_lease("e1", 60, NOW)
    assert not other.try_lease("e1", 60, NOW + 3600), "only memcached's own clock counts"
    assert not store.try_lease("e1", 60, NOW)
    assert other.try_lease("e2", 60, NOW)


def test_the_lease_of_one_that_died_ends_by_itself(empty_memcached: Memcached) -> None:
    store = open_store(empty_memcached)
    assert store.try_lease("e1", 1, NOW)
    assert wait_for(lambda: store.try_lease("e1", 1, NOW))


# Feeds that share it


@pytest.fixture
def server(clock: Clock) -> EventServer:
    return EventServer(clock)


def make_deployment(server: EventServer, memcached: Memcached, size: int, **options: str) -> Site:
    """Return processes with connections of their own."""

    def open_() -> MemcachedStore:
        return open_store(memcached, "MAC", **options)

    return make_site(server, size, open_)


def sizes(site: Site) -> set[int]:
    return {len(feed) for feed in site.feeds}


def test_a_hundred_processes_cost_one_poll_an_interval(
    server: EventServer, empty_memcached: Memcached
) -> None:
    site = make_deployment(server, empty_memcached, 100)
    site.run(30)
    server.revoke(user_id="u1")
    site.run(11)
    assert sizes(site) == {1}
    assert len(server.asked) == len(set(server.asked)) == 5


def test_as_many_events_as_are_shared_fit_into_one_entry(
    server: EventServer, empty_memcached: Memcached
) -> None:
    ids = random.Random(7)
    for _ in range(shared_record.MAX_EVENTS):
        server.revoke(audit_id=f"{ids.getrandbits(128):032x}", user_id=f"{ids.getrandbits(128):x}")
    server.clock.advance(1000)
    site = make_deployment(server, empty_memcached, 2)
    site.run(3)
    assert len(server.asked) == 1
    assert sizes(site) == {shared_record.MAX_EVENTS}


def flush(memcached: Memcached) -> None:
    memcached.flush()


def restart(memcached: Memcached) -> None:
    memcached.stop()
    memcached.start()


@pytest.mark.parametrize("lose", [flush, restart])
def test_a_memcached_that_forgot_everything_is_filled_again(
    server: EventServer, empty_memcached: Memcached, lose: Callable[[Memcached], None]
) -> None:
    for number in range(shared_record.MAX_EVENTS - 5):
        server.revoke(audit_id=f"a{number}")
    server.clock.advance(100)
    site = make_deployment(server, empty_memcached, 5)
    site.run(15)
    lose(empty_memcached)
    server.revoke(user_id="u1")
    site.run(21)
    asked = len(server.asked)
    site.feeds.append(make_feed(server, store=open_store(empty_memcached, "MAC")))
    site.run(3)
    assert sizes(site) == {len(server.events)}
    assert asked == 4
    assert len(server.asked) == asked


def revoke_without_memcached(
    site: Site, server: EventServer, caplog: pytest.LogCaptureFixture
) -> None:
    """See that an event reaches every process all the same."""
    asked = len(server.asked)
    server.revoke(user_id="u1")
    with caplog.at_level(logging.WARNING, "authmw.revocation"):
        site.run(11.5)
    assert sizes(site) == {1}
    assert len(server.asked) - asked <= 2 * len(site.feeds)
    said = [text for text in caplog.messages if "not shared between processes" in text]
    assert len(said) == len(site.feeds)


def test_without_memcached_each_process_asks_by_itself_and_shares_again_afterwards(
    server: EventServer, empty_memcached: Memcached, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_deployment(server, empty_memcached, 3, memcache_pool_dead_retry="1")
    site.run(15)
    empty_memcached.stop()
    revoke_without_memcached(site, server, caplog)

    empty_memcached.start()
    time.sleep(1.1)  # for which a server that failed is left alone
    site.run(25)
    asked = len(server.asked)
    server.revoke(user_id="u2")
    site.run(30)
    assert sizes(site) == {2}
    assert len(server.asked) - asked in (2, 3)


def test_a_frozen_memcached_costs_each_process_one_time_out(
    server: EventServer, empty_memcached: Memcached, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_deployment(server, empty_memcached, 3)
    site.run(15)
    empty_memcached.suspend()
    began = time.monotonic()
    revoke_without_memcached(site, server, caplog)
    assert time.monotonic() - began < 3 * 2 + 4

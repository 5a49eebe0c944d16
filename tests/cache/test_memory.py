"""The memory of validated tokens stays within its bounds and keeps the entries in use."""

from __future__ import annotations

import json
import os
import threading
import tracemalloc

import pytest

from authmw.cache.memory import MemoryCache
from authmw.token import Token
from authmw.token.catalog import ServiceCatalog
from tests.support.token_bodies import CATALOG, make_token

MIB = 1024 * 1024


def test_what_was_put_is_found_and_what_was_discarded_is_not() -> None:
    memory = MemoryCache[Token](max_entries=10, max_bytes=MIB)
    token = make_token()
    memory.put("a", token)
    entry = memory.get("a")
    assert entry is not None
    assert entry.value is token
    memory.discard("a")
    memory.discard("a")
    assert (memory.get("a"), len(memory), memory.size) == (None, 0, 0)


def test_entries_are_bounded_and_a_used_one_gets_a_second_chance() -> None:
    memory = MemoryCache[Token](max_entries=3, max_bytes=MIB)
    for key in ("a", "b", "c"):
        memory.put(key, make_token())
    used = memory.get("a")
    assert used is not None
    used.used = True
    memory.put("d", make_token())
    assert [key for key in "abcd" if memory.get(key)] == ["a", "c", "d"]


def test_when_all_are_in_use_the_newcomer_still_comes_in_and_the_bound_holds() -> None:
    memory = MemoryCache[Token](max_entries=3, max_bytes=MIB)
    for key in ("a", "b", "c"):
        memory.put(key, make_token())
        entry = memory.get(key)
        assert entry is not None
        entry.used = True
    memory.put("d", make_token())
    assert len(memory) == 3
    assert memory.get("d") is not None


def test_no_entries_and_no_bytes_mean_nothing_is_held() -> None:
    for memory in (
        MemoryCache[Token](max_entries=0, max_bytes=MIB),
        MemoryCache[Token](max_entries=10, max_bytes=10),
    ):
        memory.put("a", make_token())
        assert (len(memory), memory.size) == (0, 0)


def test_putting_again_replaces_and_does_not_count_twice() -> None:
    memory = MemoryCache[Token](max_entries=3, max_bytes=MIB)
    memory.put("a", make_token())
    once = memory.size
    memory.put("a", make_token())
    assert (len(memory), memory.size) == (1, once)


def test_a_shared_catalog_counts_once_and_until_its_last_token_goes() -> None:
    memory = MemoryCache[Token](max_entries=10, max_bytes=MIB)
    catalog = ServiceCatalog.from_services(CATALOG)
    memory.put("a", make_token(1, catalog))
    one = memory.size
    memory.put("b", make_token(2, catalog))
    assert one < memory.size < 2 * one
    memory.discard("a")
    assert memory.size == one
    memory.discard("b")
    assert memory.size == 0


@pytest.mark.heavy
def test_many_times_more_distinct_tokens_than_fit_leave_memory_in_its_bound() -> None:
    bound = 2 * MIB
    memory = MemoryCache[Token](max_entries=10_000, max_bytes=bound)
    for number in range(5_000):
        memory.put(f"gAAAAA{number:0>200}", make_token(number))
        assert memory.size <= bound
    assert 0 < len(memory) < 500


@pytest.mark.heavy
def test_the_estimate_does_not_promise_more_room_than_there_is() -> None:
    bound = 4 * MIB
    memory = MemoryCache[Token](max_entries=10_000, max_bytes=bound)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1_000):
            memory.put(f"gAAAAA{number:0>200}", make_token(number))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(memory) < 1_000
    assert bound / 3 < after - before <= bound


@pytest.mark.heavy
def test_tokens_with_catalogs_of_their_own_stay_within_the_bytes() -> None:
    bound = 8 * MIB
    memory = MemoryCache[Token](max_entries=10_000, max_bytes=bound)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(100):
            services = json.loads(json.dumps(CATALOG).replace("nova", f"nova-{number}"))
            memory.put(
                f"t{number}", make_token(number, ServiceCatalog.from_services(services * 20))
            )
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1 < len(memory) < 100
    assert after - before <= bound


def test_threads_that_put_and_discard_keep_the_books_straight() -> None:
    memory = MemoryCache[Token](max_entries=50, max_bytes=MIB)
    catalog = ServiceCatalog.from_services(CATALOG)
    tokens = [make_token(number, catalog if number % 2 else None) for number in range(20)]

    def work(offset: int) -> None:
        for step in range(2000):
            key = f"k{(step * 7 + offset) % 80}"
            if step % 3:
                memory.put(key, tokens[step % 20])
            else:
                memory.discard(key)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number in range(80):
        memory.discard(f"k{number}")
    assert (len(memory), memory.size) == (0, 0)


def test_a_child_forked_while_a_thread_held_the_lock_can_still_put() -> None:
    memory = MemoryCache[Token](max_entries=10, max_bytes=MIB)
    lock = memory._lock.get()
    with lock:
        child = os.fork()
        if child == 0:
            memory.put("a", make_token())
            os._exit(0 if memory.get("a") else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_memory_that_was_cleared_holds_nothing_and_has_all_its_room() -> None:
    memory = MemoryCache[Token](max_entries=10, max_bytes=1_000_000)
    memory.put("a", make_token(1, ServiceCatalog.from_services(CATALOG)))
    memory.clear()
    assert (len(memory), memory.size, memory.get("a")) == (0, 0, None)

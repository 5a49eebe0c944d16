"""What may be used once passes once."""

from __future__ import annotations

import threading

import pytest

from authmw.cache.digests import KeyMaker
from authmw.cache.replays import MemoryReplays, SharedReplays
from authmw.cache.sealing import NoSealing
from authmw.errors import CacheError, IdentityUnavailable

NOW = 1_800_000_000.0


class DictCache:
    """Several processes' cache, which may be down."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, int]] = {}
        self.is_down = False

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        if self.is_down:
            raise CacheError("down")
        if key in self.values:
            return False
        self.values[key] = (value, ttl_seconds)
        return True


def make_shared(cache: DictCache) -> SharedReplays:
    keys = KeyMaker("https://id.example", None, NoSealing())
    return SharedReplays(MemoryReplays(70), cache, keys, 70)


def test_an_id_passes_once() -> None:
    replays = MemoryReplays(70)
    assert replays.claim(b"a", NOW)
    assert not replays.claim(b"a", NOW)
    assert replays.claim(b"b", NOW + 1)


@pytest.mark.parametrize("begun", [0, 1, 35, 69.9])
def test_it_is_remembered_for_a_window_at_least(begun: float) -> None:
    replays = MemoryReplays(70)
    replays.claim(b"first", NOW)
    assert replays.claim(b"a", NOW + begun)
    for later in (1, 30, 69.9):
        assert not replays.claim(b"a", NOW + begun + later)
        replays.claim(f"{later}".encode(), NOW + begun + later)


def test_what_is_over_takes_no_memory() -> None:
    replays = MemoryReplays(70, max_entries=3)
    for round_ in range(50):
        for one in range(3):
            assert replays.claim(f"{round_} {one}".encode(), NOW + round_ * 140)


def test_when_it_is_full_nothing_is_forgotten() -> None:
    replays = MemoryReplays(70, max_entries=2)
    assert replays.claim(b"a", NOW)
    assert replays.claim(b"b", NOW)
    with pytest.raises(IdentityUnavailable, match="more than are remembered"):
        replays.claim(b"c", NOW)
    assert not replays.claim(b"a", NOW)


def test_a_clock_that_is_set_back_lets_nothing_pass_again() -> None:
    replays = MemoryReplays(70)
    replays.claim(b"a", NOW)
    replays.claim(b"b", NOW + 100)
    assert not replays.claim(b"a", NOW - 10)
    assert not replays.claim(b"b", NOW - 10)


@pytest.mark.parametrize("behind", [0.001, 1, 10, 69])
def test_a_request_that_took_long_makes_nothing_forgotten(behind: float) -> None:
    """It still has the time at which it began."""
    replays = MemoryReplays(70)
    replays.claim(b"first", NOW)
    replays.claim(b"a", NOW + 9)
    assert replays.claim(b"slow", NOW - behind)
    assert not replays.claim(b"a", NOW + 69.5)
    assert not replays.claim(b"a", NOW + 9 + 69.9)
    assert not replays.claim(b"slow", NOW + 69.5)


def test_of_many_threads_one_passes() -> None:
    replays = MemoryReplays(70)
    passed: list[bool] = []
    threads = [
        threading.Thread(target=lambda: passed.append(replays.claim(b"a", NOW))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == [False] * 15 + [True]


def test_processes_share_what_passed() -> None:
    cache = DictCache()
    here, there = make_shared(cache), make_shared(cache)
    assert here.claim(b"a", NOW)
    assert not there.claim(b"a", NOW)
    assert there.claim(b"b", NOW)
    assert [ttl for _, ttl in cache.values.values()] == [70, 70]


def test_while_the_cache_is_down_each_process_remembers_its_own() -> None:
    cache = DictCache()
    cache.is_down = True
    here = make_shared(cache)
    assert here.claim(b"a", NOW)
    assert not here.claim(b"a", NOW)

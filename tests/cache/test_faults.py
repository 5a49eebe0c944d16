"""No exception of a cache leaves `SharedCache`: the request goes on without an entry."""

from __future__ import annotations

import logging

import pytest

from authmw.cache.shared import SharedCache
from tests.support.shared_cache import make_namespace

FAULTS = [ValueError, TypeError, KeyError, AssertionError, RuntimeError, MemoryError]
QUOTED = "a token in an error's text"


class RaisingCache:
    """A `BytesCache` that breaks its promise to raise nothing but CacheError."""

    def __init__(self, kind: type[Exception]) -> None:
        self._kind = kind

    def get(self, key: str) -> bytes | None:
        raise self._kind(QUOTED)

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        raise self._kind(QUOTED)

    def delete(self, key: str) -> None:
        raise self._kind(QUOTED)


class SilentlyFull(RaisingCache):
    """Answers, and raises on every write."""

    def get(self, key: str) -> bytes | None:
        return None


@pytest.mark.parametrize("kind", FAULTS)
def test_what_a_cache_raises_is_reported_without_its_text(
    kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "authmw")
    cache = SharedCache(RaisingCache(kind), [make_namespace()])
    place = cache.look_up("token", b"digest")
    assert (place.entry, place.is_reachable) == (None, False)
    assert caplog.text.count("The shared cache is at fault") == 1
    assert kind.__name__ in caplog.text
    assert QUOTED not in caplog.text


@pytest.mark.parametrize("kind", FAULTS)
def test_what_a_cache_raises_on_a_write_is_reported(
    kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "authmw")
    place = SharedCache(SilentlyFull(kind), [make_namespace()]).look_up("token", b"digest")
    place.put(b"entry", 60)
    place.clear()
    assert kind.__name__ in caplog.text

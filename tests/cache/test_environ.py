"""The cache object of a request's environ: whatever it does, the request goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authmw.cache.environ import EnvironCache
from authmw.cache.shared import SharedCache
from authmw.errors import CacheError
from authmw.runtime import request
from tests.support.shared_cache import (
    DictCache,
    OldSwiftCache,
    ScriptedSource,
    SwiftCache,
    TokenAsker,
    environ_with,
    make_answer,
    make_namespace,
)

CACHE = EnvironCache("swift.cache")


class Raising:
    """Fails at everything, as a cache does whose servers are gone."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get(self, key: str) -> object:
        raise self.error

    def set(self, key: str, value: object, time: int = 0) -> None:
        raise self.error

    def delete(self, key: str) -> None:
        raise self.error


class Returning:
    """Returns the same for every key, and takes everything."""

    def __init__(self, value: object) -> None:
        self.value = value

    def get(self, key: str) -> object:
        return self.value

    def set(self, key: str, value: object, time: int = 0) -> None: ...

    def delete(self, key: str) -> None: ...


def make_source(cache: EnvironCache = CACHE) -> tuple[TokenAsker, ScriptedSource]:
    source = ScriptedSource(make_answer())
    return TokenAsker(source, SharedCache(cache, [make_namespace()])), source


@pytest.mark.parametrize("kind", [SwiftCache, OldSwiftCache])
def test_values_are_json_text_and_have_their_time_to_live(
    kind: type[SwiftCache] | type[OldSwiftCache],
) -> None:
    held = kind()
    with request.serving(environ_with(held)):
        CACHE.set("key", bytes(range(256)), 60)
    (kept,) = held.values.values()
    assert isinstance(json.loads(kept), str)
    assert held.ttls == [60]


def test_each_request_uses_the_object_in_its_own_environ() -> None:
    one, other = SwiftCache(), SwiftCache()
    with request.serving(environ_with(one)):
        CACHE.set("key", b"one", 60)
    with request.serving(environ_with(other)):
        assert CACHE.get("key") is None
        CACHE.set("key", b"other", 60)
    with request.serving(environ_with(one)):
        assert CACHE.get("key") == b"one"


@pytest.mark.parametrize("environ", [{}, {"swift.cache": None}])
def test_request_without_the_object_goes_without_a_cache(environ: dict[str, Any]) -> None:
    with request.serving(environ):
        CACHE.set("key", b"value", 60)
        assert CACHE.get("key") is None
        CACHE.delete("key")


def test_outside_of_a_request_there_is_no_cache() -> None:
    CACHE.set("key", b"value", 60)
    CACHE.delete("key")
    assert CACHE.get("key") is None


def test_request_without_the_object_uses_the_other_cache_and_one_with_it_does_not() -> None:
    other, held = DictCache(), SwiftCache()
    cache = EnvironCache("swift.cache", fallback=other)
    with request.serving({}):
        cache.set("key", b"in memcached", 60)
    with request.serving(environ_with(held)):
        assert cache.get("key") is None
        cache.set("key", b"in swift's", 60)
    with request.serving({}):
        assert cache.get("key") == b"in memcached"
        cache.delete("key")
        assert cache.get("key") is None
    assert len(held.values) == 1


@pytest.mark.parametrize(
    "error", [OSError("gone"), RuntimeError(), KeyError("key"), TypeError("value"), StopIteration()]
)
def test_object_that_raises_is_a_cache_error_that_quotes_nothing(error: Exception) -> None:
    with request.serving(environ_with(Raising(error))):
        with pytest.raises(CacheError) as getting:
            CACHE.get("key")
        with pytest.raises(CacheError) as setting:
            CACHE.set("key", b"value", 60)
        with pytest.raises(CacheError) as deleting:
            CACHE.delete("key")
    name = type(error).__name__
    assert [str(caught.value) for caught in (getting, setting, deleting)] == [
        f"swift.cache.get() raised {name}",
        f"swift.cache.set() raised {name}",
        f"swift.cache.delete() raised {name}",
    ]


@pytest.mark.parametrize(
    "value", [b"Ynl0ZXM=", 5, True, ["text"], {"a": 1}, "no base64!", "é", "YQ", object()]
)
def test_odd_value_is_a_cache_error(value: object) -> None:
    with request.serving(environ_with(Returning(value))), pytest.raises(CacheError):
        CACHE.get("key")


@pytest.mark.parametrize("held", [object(), "text", 5, Raising(OSError()), Returning(b"bytes")])
def test_whatever_the_object_does_the_request_gets_its_answer(held: object) -> None:
    cached, source = make_source()
    with request.serving(environ_with(held)):
        for _ in range(2):
            answer = cached.ask("token")
            assert answer.user.id == "u1"
    assert len(source.questions) == 2


def test_object_that_comes_and_goes_serves_the_requests_that_have_it() -> None:
    cached, source = make_source()
    held = SwiftCache()
    for environ in (environ_with(held), {}, environ_with(held), environ_with(SwiftCache())):
        with request.serving(environ):
            answer = cached.ask("token")
            assert answer.user.id == "u1"
    assert len(source.questions) == 3


def test_entry_in_the_environs_cache_is_used_by_the_next_request() -> None:
    cached, source = make_source()
    held = SwiftCache()
    for _ in range(3):
        with request.serving(environ_with(held)):
            assert cached.ask("t").user.id == "u1"
    assert len(source.questions) == 1

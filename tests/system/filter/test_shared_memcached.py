"""Filters with different secrets on one memcached say so, by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from authmw.testing import IdentityServer
from tests.support.clock import Clock
from tests.support.filters import Filter
from tests.support.memcached import Memcached

SECRET = "thirty-two characters and more of a secret"
Make = Callable[..., Filter]


@pytest.fixture
def make(server: IdentityServer, memcached: Memcached) -> Iterator[Make]:
    made: list[Filter] = []

    def make_filter(**options: str) -> Filter:
        shared = {
            "memcached_servers": memcached.address,
            "memcache_security_strategy": "MAC",
            "memcache_secret_key": SECRET,
        }
        made.append(Filter({**server.service_credentials, **shared, **options}, Clock()))
        return made[-1]

    yield make_filter
    for one in made:
        one.close()


def serve(server: IdentityServer, filters: list[Filter]) -> None:
    """Have each serve a request now and then, for most of an hour."""
    token = server.issue("member", project="inventory")
    for _ in range(10):
        for one in filters:
            one.clock.advance(305)
            assert one.ask(token).status == 200


@pytest.mark.parametrize(
    "options",
    [
        {"memcache_secret_key": SECRET[::-1]},
        {"memcache_security_strategy": "ENCRYPT"},
        {"memcache_security_strategy": "NONE"},
    ],
    ids=["secret", "strategy", "none"],
)
def test_filters_that_can_not_read_each_other_s_entries_say_so(
    make: Make, server: IdentityServer, caplog: pytest.LogCaptureFixture, options: dict[str, str]
) -> None:
    serve(server, [make(), make(**options)])
    lines = [line for line in caplog.messages if "another memcache_secret_key" in line]
    assert len(lines) == 2


def test_filters_that_share_say_nothing(
    make: Make, server: IdentityServer, caplog: pytest.LogCaptureFixture
) -> None:
    serve(server, [make(), make()])
    assert "Another service" not in caplog.text

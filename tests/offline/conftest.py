"""A real Keystone that signs its tokens, and filters that verify them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.offline.bearers import Bearers
from tests.offline.filters import Clock, Filter
from tests.services.keystone import Keystone

MakeFilter = Callable[..., Filter]


@pytest.fixture(scope="module")
def bearers(keystone: Keystone) -> Bearers:
    return Bearers(keystone, keystone.jws.api)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_filter(keystone: Keystone, bearers: Bearers, clock: Clock) -> MakeFilter:
    """Make a filter with Keystone's public keys; keyword arguments are more options."""

    def make(**options: str) -> Filter:
        keys = {"jws_public_key_repository": str(keystone.jws_public_key_repository)}
        return Filter({**bearers.service_options, **keys, **options}, clock)

    return make


@pytest.fixture
def make_remote_filter(bearers: Bearers, clock: Clock) -> MakeFilter:
    """Make a filter that asks Keystone about every token."""

    def make(**options: str) -> Filter:
        return Filter({**bearers.service_options, "token_validation": "remote", **options}, clock)

    return make


@pytest.fixture
def frozen(keystone: Keystone) -> Iterator[Callable[[], None]]:
    """Freeze the Keystone that signs tokens, until the end of the test."""
    yield keystone.jws.suspend
    keystone.jws.resume()

"""A real Keystone that signs its tokens, and filters that verify them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import pytest

from tests.support.clock import Clock
from tests.support.filters import Filter
from tests.support.keystone import Keystone
from tests.system.keystone.bearers import Bearers

MakeFilter = Callable[..., Filter]


@pytest.fixture(scope="module")
def bearers(keystone: Keystone) -> Bearers:
    return Bearers(keystone, keystone.jws.api)


@pytest.fixture
def make_any_filter(bearers: Bearers, clock: Clock) -> Iterator[MakeFilter]:
    """Make a filter that asks Keystone; keyword arguments are more options."""
    with contextlib.ExitStack() as made:

        def make(**options: str) -> Filter:
            protected = Filter({**bearers.service_options, **options}, clock)
            made.callback(protected.close)
            return protected

        yield make


@pytest.fixture
def make_filter(keystone: Keystone, make_any_filter: MakeFilter) -> MakeFilter:
    """Make a filter with Keystone's public keys."""
    keys = str(keystone.jws_public_key_repository)
    return functools.partial(make_any_filter, jws_public_key_repository=keys)


@pytest.fixture
def make_remote_filter(make_any_filter: MakeFilter) -> MakeFilter:
    """Make a filter that asks Keystone about every token."""
    return functools.partial(make_any_filter, token_validation="remote")


@pytest.fixture
def frozen(keystone: Keystone) -> Iterator[Callable[[], None]]:
    """Freeze the Keystone that signs tokens, until the end of the test."""
    yield keystone.jws.suspend
    keystone.jws.resume()

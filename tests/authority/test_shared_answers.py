"""Processes share what they know about bearers through a real memcached."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.support.clock import Clock
from tests.support.embedded_identity import make_filter, wait_for_validations
from tests.support.filters import Filter
from tests.support.memcached import Memcached
from tests.support.waiting import wait_for

# A filter that is dropped leaves its connection to memcached to the garbage collector.
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings(
        "ignore:unclosed <socket:ResourceWarning",
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning",
    ),
]

SECRET = {
    "memcache_security_strategy": "ENCRYPT",
    "memcache_secret_key": "a secret of many random characters",
}


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Memcached]:
    """A memcached of the test's own, whose entries can be counted."""
    server = Memcached(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def pair(
    server: IdentityServer, clock: Clock, tmp_path: Path, cache: Memcached
) -> tuple[Filter, Filter]:
    """Two filters, as of two processes: all they share is memcached."""
    options = {"memcached_servers": cache.address, **SECRET}
    first = make_filter(server, tmp_path / "keys", clock, **options)
    return first, make_filter(server, tmp_path / "keys", clock, **options)


@pytest.mark.parametrize("catalog_requested", ["true", "false"])
def test_a_second_process_knows_the_bearer_without_asking(
    server: IdentityServer,
    clock: Clock,
    tmp_path: Path,
    cache: Memcached,
    catalog_requested: str,
) -> None:
    options = {
        "memcached_servers": cache.address,
        "include_service_catalog": catalog_requested,
        **SECRET,
    }
    first, second = (make_filter(server, tmp_path / "keys", clock, **options) for _ in range(2))
    asked = first.ask(server.issue_jws("member", project="inventory"))
    token = server.issue_jws("member", project="inventory")
    found, known = second.ask(token), first.ask(token)
    assert (asked.status, found.status) == (200, 200)
    assert found == known
    assert ("HTTP_X_SERVICE_CATALOG" in found.headers) == (catalog_requested == "true")
    assert server.calls["validate"] == 1
    # The canary of both filters, left in the background, and what is known about the bearer.
    wait_for(lambda: cache.count_items() >= 2)
    assert cache.count_items() == 2, "a token verified here is not stored"


def test_another_bearer_is_asked_about(server: IdentityServer, pair: tuple[Filter, Filter]) -> None:
    first, second = pair
    first.ask(server.issue_jws("member", project="inventory"))
    told = second.ask(server.issue_jws("reader", project="inventory"))
    assert told.headers["HTTP_X_USER_NAME"] == "reader"
    assert server.calls["validate"] == 2


def test_an_answer_outlives_the_token_it_was_got_with(
    server: IdentityServer, pair: tuple[Filter, Filter], clock: Clock
) -> None:
    first, second = pair
    short = server.issue_jws("member", project="inventory", expires_in=10)
    long = server.issue_jws("member", project="inventory")
    assert first.ask(short).status == 200
    clock.advance(20)
    assert [second.ask(token).status for token in (short, long)] == [401, 200]
    assert server.calls["validate"] == 1


def test_an_answer_is_no_fresher_for_having_been_passed_on(
    server: IdentityServer, pair: tuple[Filter, Filter], clock: Clock
) -> None:
    first, second = pair
    tokens = [server.issue_jws("member", project="inventory") for _ in range(2)]
    assert first.ask(tokens[0]).status == 200
    clock.advance(40)
    assert second.ask(tokens[1]).status == 200
    server.directory.unassign("member", "member", project="inventory")
    clock.advance(20)
    assert [second.ask(token).status for token in tokens] == [401, 401]
    assert first.ask(tokens[0]).status == 401


def test_what_one_process_renewed_the_others_need_not(
    server: IdentityServer, pair: tuple[Filter, Filter], clock: Clock
) -> None:
    first, second = pair
    token = server.issue_jws("member", project="inventory")
    assert [one.ask(token).status for one in pair] == [200, 200]
    assert server.calls["validate"] == 1
    clock.advance(46)
    first.ask(token)
    wait_for_validations(server, 2)
    clock.advance(15)  # past what both had
    assert [one.ask(token).status for one in (first, second)] == [200, 200]
    assert server.calls["validate"] == 2


def test_in_an_outage_a_process_that_never_asked_uses_the_answer_for_the_grace_and_no_longer(
    server: IdentityServer, pair: tuple[Filter, Filter], clock: Clock
) -> None:
    first, second = pair
    tokens = [server.issue_jws("member", project="inventory") for _ in range(2)]
    assert first.ask(tokens[0]).status == 200
    server.stop()
    clock.advance(60 + 290)
    assert second.ask(tokens[1]).status == 200
    clock.advance(10)
    assert [second.ask(token).status for token in tokens] == [503, 503]


def test_a_refusal_is_noticed_by_all(
    server: IdentityServer, pair: tuple[Filter, Filter], clock: Clock
) -> None:
    first, second = pair
    tokens = [server.issue_jws("member", project="inventory") for _ in range(2)]
    assert first.ask(tokens[0]).status == 200
    server.directory.unassign("member", "member", project="inventory")
    clock.advance(60)
    assert first.ask(tokens[0]).status == 401
    server.stop()
    assert second.ask(tokens[1]).status == 503


def test_with_memcached_gone_everybody_asks_for_himself(
    server: IdentityServer, pair: tuple[Filter, Filter], cache: Memcached
) -> None:
    cache.stop()
    token = server.issue_jws("member", project="inventory")
    assert [one.ask(token).status for one in pair] == [200, 200]
    assert server.calls["validate"] == 2

"""Keystone changes its provider from Fernet to JWS; the services notice nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.filters import Filter, Told
from tests.support.keystone import Keystone, KeystoneProcess
from tests.support.memcached import Memcached
from tests.system.keystone.bearers import Bearers
from tests.system.keystone.conftest import MakeFilter


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Memcached]:
    """What the migrating Keystone remembers."""
    server = Memcached(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def migrating(keystone: Keystone, cache: Memcached) -> Iterator[KeystoneProcess]:
    """A Fernet process of the site, at an address of its own, which a test turns into JWS."""
    keystone.jws  # noqa: B018 - makes the site
    process = KeystoneProcess(
        keystone.directory, provider="fernet", expiration_seconds=3599, cache=cache.address
    )
    process.start()
    yield process
    process.stop()


def change_provider(process: KeystoneProcess, cache: Memcached) -> None:
    process.stop()
    cache.flush()  # Keystone would go on with what it remembers of Fernet tokens
    text = process.configuration_file.read_text()
    process.configuration_file.write_text(text.replace("provider = fernet", "provider = jws"))
    process.start()


def identity_of(told: Told) -> dict[str, str]:
    """The headers; a Keystone process started anew lists roles and catalog in another order."""
    headers = {name: text for name, text in told.headers.items() if "CATALOG" not in name}
    for name in ("HTTP_X_ROLES", "HTTP_X_ROLE"):
        headers[name] = ",".join(sorted(headers[name].split(",")))
    return headers


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "shadow"])
def test_fernet_and_jws_are_accepted_side_by_side_and_no_filter_is_restarted(
    keystone: Keystone, migrating: KeystoneProcess, cache: Memcached, clock: Clock, mode: str
) -> None:
    bearers = Bearers(keystone, migrating.api)
    protected = Filter(
        {
            **bearers.service_options,
            "jws_public_key_repository": str(keystone.jws_public_key_repository),
            "token_validation": "auto",
            "shadow_validation": str(mode == "shadow"),
        },
        clock,
    )
    issue = bearers.on_project()
    fernet = issue()
    assert fernet.count(".") == 0
    before = protected.ask(fernet)
    assert before.status == 200

    change_provider(migrating, cache)
    signed = [issue() for _ in range(3)]
    assert {token.count(".") for token in signed} == {2}
    # Our own token was a Fernet one, which this Keystone knows no more.
    told = [protected.ask(token) for token in (*signed, fernet)]
    assert [one.status for one in told] == [200] * 4
    assert [identity_of(one) for one in told] == [identity_of(before)] * 4

    clock.advance(301)  # token_cache_time: the end of all that Fernet left behind
    assert [protected.ask(token).status for token in (*signed, fernet)] == [200] * 3 + [401]


@pytest.mark.slow
def test_a_fernet_token_is_no_good_where_only_signed_ones_are(
    keystone: Keystone, make_filter: MakeFilter, bearers: Bearers
) -> None:
    protected = make_filter(token_validation="offline", revocation_poll_interval="0")
    assert protected.ask(bearers.on_project()()).status == 200
    assert protected.ask(keystone.fernet.api.issue(bearers.caller).id).status == 401

"""Services that share a memcached and can't read each other's entries are told so."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence

import pytest

from authmw.cache.canary import Canary, leave_canary
from authmw.cache.canary_watch import PAUSE_SECONDS, CanaryWatch
from authmw.cache.digests import KeyMaker
from authmw.cache.memcached import open_memcached
from authmw.cache.sealing import EncryptSealing, MacSealing, NoSealing
from authmw.cache.secret import Secret
from authmw.cache.shared import SealedNamespace
from authmw.config.loading import load_settings
from authmw.errors import CacheError
from tests.support.memcached import Memcached

ONE, OTHER = Secret("a secret of thirty-two characters"), Secret("another, also thirty-two long..")
Make = Callable[..., CanaryWatch]


def mac(secret: Secret) -> SealedNamespace:
    return SealedNamespace(KeyMaker("", secret, MacSealing(secret)), MacSealing(secret))


def encrypt(secret: Secret) -> SealedNamespace:
    return SealedNamespace(KeyMaker("", secret, EncryptSealing(secret)), EncryptSealing(secret))


def unsealed() -> SealedNamespace:
    return SealedNamespace(KeyMaker("", None, NoSealing()), NoSealing())


@pytest.fixture
def make(memcached: Memcached) -> Make:
    settings = load_settings({"memcached_servers": memcached.address, "auth_type": "none"})
    endpoint = os.urandom(8).hex()

    def make_watch(*namespaces: SealedNamespace, at: str = endpoint) -> CanaryWatch:
        look = functools.partial(leave_canary, open_memcached(settings), namespaces, at)
        return CanaryWatch(look)

    return make_watch


def run(watches: Sequence[CanaryWatch], *, rounds: int = 6) -> None:
    now = 1_000_000.0
    for _ in range(rounds):
        for watch in watches:
            if watch.reload_at <= now:
                watch.reload(now)
        now += PAUSE_SECONDS


@pytest.mark.parametrize(
    "pair",
    [
        (mac(ONE), mac(OTHER)),
        (mac(ONE), encrypt(ONE)),
        (mac(ONE), unsealed()),
        (encrypt(ONE), encrypt(OTHER)),
    ],
    ids=["secret", "strategy", "none", "encrypted"],
)
def test_each_of_two_is_told_once(
    make: Make, caplog: pytest.LogCaptureFixture, pair: tuple[SealedNamespace, SealedNamespace]
) -> None:
    run([make(one) for one in pair], rounds=20)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "another memcache_secret_key or memcache_security_strategy" in caplog.text


@pytest.mark.parametrize(
    "pair",
    [
        [[mac(ONE)], [mac(ONE)]],
        [[unsealed()], [unsealed()]],
        # Each knows the other's secret, while it is being changed.
        [[mac(ONE), mac(OTHER)], [mac(OTHER), mac(ONE)]],
    ],
    ids=["same", "unsealed", "rotation"],
)
def test_those_that_share_are_told_nothing(
    make: Make, caplog: pytest.LogCaptureFixture, pair: list[list[SealedNamespace]]
) -> None:
    run([make(*one) for one in pair], rounds=20)
    assert caplog.messages == []


def test_those_of_another_identity_service_share_nothing_anyway(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    run([make(mac(ONE)), make(mac(OTHER), at="elsewhere")], rounds=20)
    assert caplog.messages == []


def test_what_was_there_before_the_start_is_no_sign(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    run([make(mac(OTHER))], rounds=1)
    run([make(mac(ONE))], rounds=20)
    assert caplog.messages == []


def test_one_that_ends_while_another_starts_is_no_sign(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    new, old = make(mac(ONE)), make(mac(OTHER))
    new.reload(0)
    old.reload(10)
    run([new], rounds=20)
    assert caplog.messages == []


def test_a_flood_of_foreign_canaries_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    watch = CanaryWatch(lambda: Canary.FOREIGN)
    run([watch], rounds=500)
    assert len(caplog.messages) == 1


def test_a_cache_that_fails_is_looked_at_again_later(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Canary:
        raise CacheError("no memcached server answers")

    watch = CanaryWatch(fail)
    watch.reload(100.0)
    assert watch.reload_at > 100.0
    assert caplog.messages == []

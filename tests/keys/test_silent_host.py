"""While the host of a JWK set is silent, its last keys are used and no request waits long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from authmw.testing import Fault, IdentityServer
from authmw.testing.issuer import Issuer
from tests.support.clock import Clock
from tests.support.filters import Filter

# A request may wait for a key that might just have appeared, once in an outage and this long.
EARLY_SECONDS = 1.0
# And for the first keys of a process.
FIRST_SECONDS = 2.0
# For a machine that is busy with something else.
TOLERANCE_SECONDS = 1.5


@pytest.fixture
def filtered(server: IdentityServer) -> Iterator[Filter]:
    protected = make_filter(server)
    yield protected
    protected.close()


def make_filter(server: IdentityServer) -> Filter:
    return Filter(
        {
            **server.service_credentials,
            "jws_jwks_uri": server.jwks_url,
            "token_validation": "offline",
            "jws_authority": "claims",
            "revocation_poll_interval": "0",
        },
        Clock(),
    )


STRANGER = Issuer()


def forge(number: int) -> str:
    now = int(time.time())
    return STRANGER.sign({"sub": "x", "iat": now, "exp": now + 999, "number": number})


def ask(protected: Filter, token: str) -> tuple[int, float]:
    began_at = time.monotonic()
    status = protected.ask(token).status
    return status, time.monotonic() - began_at


def ask_at_once(protected: Filter, numbers: range) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []

    def send(token: str) -> None:
        found.append(ask(protected, token))

    threads = [threading.Thread(target=send, args=(forge(number),)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == len(numbers)
    return found


def test_forged_tokens_hold_workers_for_a_moment_once_while_the_host_is_silent(
    filtered: Filter, server: IdentityServer
) -> None:
    good = server.issue_jws("member", project="inventory", names_and_roles=True)
    assert filtered.ask(good).status == 200
    with server.failing(Fault.HANG, "keys"):
        for found in ask_at_once(filtered, range(6)):
            assert found[0] == 401
            assert found[1] < EARLY_SECONDS + TOLERANCE_SECONDS
        held = 0.0
        # What follows spans several times the interval of early reloads, by the filter's clock.
        for number in range(100, 140):
            status, seconds = ask(filtered, forge(number))
            assert status == 401
            held += seconds
            filtered.clock.advance(1)
        assert held < EARLY_SECONDS + TOLERANCE_SECONDS
        fresh = server.issue_jws("member", project="inventory", names_and_roles=True)
        status, seconds = ask(filtered, fresh)
        assert (status, seconds < TOLERANCE_SECONDS) == (200, True)


def test_once_an_attempt_has_failed_nobody_waits_for_the_next(
    filtered: Filter, server: IdentityServer
) -> None:
    filtered.ask(server.issue_jws("member", project="inventory", names_and_roles=True))
    server.fault = Fault.RESET
    ask(filtered, forge(0))
    server.fault = Fault.HANG
    filtered.clock.advance(11)
    held = sum(seconds for _, seconds in ask_at_once(filtered, range(1, 9)))
    assert held < TOLERANCE_SECONDS


def test_requests_wait_only_a_moment_for_the_first_keys_of_a_silent_host(
    server: IdentityServer,
) -> None:
    with server.failing(Fault.HANG, "keys"):
        protected = make_filter(server)
        token = server.issue_jws("member", project="inventory", names_and_roles=True)
        began_at = time.monotonic()
        found = ask_at_once(protected, range(4))
        assert {status for status, _ in found} == {503}
        assert time.monotonic() - began_at < FIRST_SECONDS + TOLERANCE_SECONDS
        status, seconds = ask(protected, token)
        assert (status, seconds < TOLERANCE_SECONDS) == (503, True)
    protected.close()


def test_key_that_appears_behind_a_host_that_answers_is_used_at_once(
    filtered: Filter, server: IdentityServer
) -> None:
    filtered.ask(server.issue_jws("member", project="inventory", names_and_roles=True))
    server.issuer = Issuer()
    token = server.issue_jws("member", project="inventory", names_and_roles=True)
    assert filtered.ask(token).status == 200

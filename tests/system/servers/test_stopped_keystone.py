"""Keystone is stopped, restarted or suspended while services behind the filter go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

from tests.support.identity_types import IssuedToken
from tests.support.keystone import Keystone
from tests.system.servers.contract import expected_headers
from tests.system.servers.crowd import Crowd
from tests.system.servers.people import People
from tests.system.servers.servers import IMPATIENT_SECONDS, Server, Servers, identity_of
from tests.system.servers.wire import Answer

pytestmark = pytest.mark.slow

# More than the filter may take on a slow machine, far less than a read time-out of 30 s.
BOUND_SECONDS = IMPATIENT_SECONDS + 6


@contextmanager
def stopped(keystone: Keystone) -> Iterator[None]:
    keystone.fernet.stop()
    try:
        yield
    finally:
        keystone.fernet.start()


@contextmanager
def suspended(keystone: Keystone) -> Iterator[None]:
    keystone.fernet.suspend()
    try:
        yield
    finally:
        keystone.fernet.resume()


@pytest.fixture
def new_tokens(keystone: Keystone, people: People) -> list[IssuedToken]:
    """Four tokens nobody has seen yet."""
    caller = people.callers["project"]
    return [keystone.fernet.api.issue(caller.user, caller.scope) for _ in range(4)]


def ask_in_time(ask: Callable[[], Answer]) -> Answer:
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < BOUND_SECONDS
    return answer


def ask_until_sure(server: Server, token: IssuedToken) -> Answer:
    """Try again as a 503 asks for; a client that gives up after 30 seconds."""
    give_up_at = time.monotonic() + 30
    while True:
        answer = server.ask("impatient", token)
        if answer.status != 503 or time.monotonic() > give_up_at:
            return answer
        time.sleep(0.2)


@pytest.mark.parametrize("outage", [stopped, suspended])
def test_known_tokens_are_served_others_try_again_later_and_nothing_needs_a_restart(
    servers: Servers,
    keystone: Keystone,
    tokens: dict[str, IssuedToken],
    new_tokens: list[IssuedToken],
    outage: Callable[[Keystone], AbstractContextManager[None]],
) -> None:
    known, new = tokens["project"], new_tokens[0]
    expected = expected_headers(known.body)
    both = [servers.get("threads"), servers.get("preload")]
    workers = [server.ask_every_worker("impatient", known) for server in both]
    for server in both:
        server.ask_every_worker("undecided", known)

    # Nobody can say whether these are good, so nobody says that they are not.
    questions: list[Callable[[Server], Answer]] = [
        lambda server: server.ask("impatient", new),
        lambda server: server.ask("impatient", None, ["X-Auth-Token: made-up"]),
        lambda server: server.ask("impatient", known, ["X-Service-Token: made-up"]),
    ]
    with outage(keystone):
        crowd = Crowd(
            [
                partial(ask_in_time, partial(question, server))
                for question in questions
                for server in both
            ]
        )
        undecided = Crowd(
            [partial(ask_in_time, partial(server.ask, "undecided", new)) for server in both]
        )
        for server in both:
            # Served from memory, while other threads wait for Keystone.
            for _ in range(10):
                assert identity_of(server.ask("impatient", known)) == expected
        for answer in crowd.results():
            assert answer.status == 503
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.headers["Content-Type"].startswith("application/json")
            assert b'"title": "Service Unavailable"' in answer.body
            assert "WWW-Authenticate" not in answer.headers
        for answer in undecided.results():
            assert identity_of(answer) == {"HTTP_X_IDENTITY_STATUS": "Invalid"}
        for server in both:
            answer = ask_in_time(partial(server.ask, "impatient"))
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (
                401,
                f'Keystone uri="{keystone.fernet.auth_url}"',
            )
            assert identity_of(server.ask("undecided", known)) == expected

    for server, pids in zip(both, workers, strict=True):
        assert identity_of(ask_until_sure(server, new)) == expected
        for token in new_tokens[1:]:
            assert ask_until_sure(server, token).status == 200
        # The same workers as before.
        assert server.ask_every_worker("impatient", known) == pids


def test_a_crowd_in_front_of_a_suspended_keystone_waits_for_a_bounded_time(
    servers: Servers,
    keystone: Keystone,
    tokens: dict[str, IssuedToken],
    new_tokens: list[IssuedToken],
) -> None:
    server = servers.get("threads")
    server.ask_every_worker("impatient", tokens["project"])
    with suspended(keystone):
        # Two workers of four threads: all of them are taken.
        crowd = Crowd(
            [
                partial(ask_in_time, partial(server.ask, "impatient", token))
                for token in new_tokens * 2
            ]
        )
        assert [answer.status for answer in crowd.results()] == [503] * 8
        assert server.ask("impatient", tokens["project"]).status == 200
    for token in new_tokens:
        assert ask_until_sure(server, token).status == 200

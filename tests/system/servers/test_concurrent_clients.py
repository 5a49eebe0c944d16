"""Many clients at once: the service is told the right identity for each request."""

from __future__ import annotations

import http.client
import os
import random
import signal
import time
from contextlib import closing
from functools import partial

import pytest

from tests.support.identity_types import IssuedToken
from tests.support.keystone import Keystone
from tests.support.processes import is_answering
from tests.system.servers.contract import expected_headers, expected_service_headers
from tests.system.servers.crowd import Crowd
from tests.system.servers.people import People
from tests.system.servers.servers import Server, identity_of
from tests.system.servers.wire import Answer

CLIENTS = 16
REQUESTS_EACH = 20


@pytest.fixture
def new_tokens(keystone: Keystone, people: People) -> list[IssuedToken]:
    """Eight tokens nobody has seen yet: of four users, and four of the member in three scopes."""
    api = keystone.fernet.api
    project = people.callers["project"].scope
    users = [people.make_user(role) for role in ("reader", "member", "manager", "reader")]
    callers = [people.callers[scope] for scope in ("project", "system", "project", "unscoped")]
    return [api.issue(user, project) for user in users] + [
        api.issue(caller.user, caller.scope) for caller in callers
    ]


def test_sixteen_clients_with_eight_tokens_see_each_their_own_identity(
    server: Server, keystone: Keystone, new_tokens: list[IssuedToken], service_token: IssuedToken
) -> None:
    expected = [expected_headers(keystone.fernet.api.validate(token).body) for token in new_tokens]
    of_service = expected_service_headers(keystone.fernet.api.validate(service_token).body)

    def be_client(number: int) -> set[int]:
        order = random.Random(number)
        pids = set()
        for _ in range(REQUESTS_EACH):
            which = order.randrange(len(new_tokens))
            service = service_token if order.random() < 0.3 else None
            answer = server.ask("strict", new_tokens[which], service=service)
            assert identity_of(answer) == {**expected[which], **(of_service if service else {})}
            seen = answer.seen
            assert seen.audit_id == new_tokens[which].body["audit_ids"][0]
            assert seen.token_info is not None
            assert seen.token_info["token"]["audit_ids"] == new_tokens[which].body["audit_ids"]
            pids.add(seen.pid)
        return pids

    crowd = Crowd([partial(be_client, number) for number in range(CLIENTS)])
    pids = set().union(*crowd.results())
    assert len(pids) == 2  # both workers had their share


def test_good_and_bad_clients_side_by_side(server: Server, new_tokens: list[IssuedToken]) -> None:
    def be_client(number: int) -> list[int]:
        lines = [[], ["X-Auth-Token: made-up"], [f"X-Auth-Token: {new_tokens[0].id}x"]][number % 3]
        good = new_tokens[number % len(new_tokens)]
        return [
            server.ask("strict", *request).status
            for _ in range(5)
            for request in ((good,), (None, lines))
        ]

    crowd = Crowd([partial(be_client, number) for number in range(CLIENTS)])
    assert crowd.results() == [[200, 401] * 5] * CLIENTS


def test_requests_on_one_connection_have_nothing_in_common(
    server: Server, keystone: Keystone, tokens: dict[str, IssuedToken]
) -> None:
    # A proxy sends the requests of all its clients over a few connections.
    connection = http.client.HTTPConnection("127.0.0.1", server.process.port, timeout=60)
    with closing(connection):
        for scope in ("project", None, "system", "unscoped", None, "domain", "project"):
            headers = {"Host": "delayed"}
            expected = {"HTTP_X_IDENTITY_STATUS": "Invalid"}
            if scope is not None:
                headers["X-Auth-Token"] = tokens[scope].id
                expected = expected_headers(keystone.fernet.api.validate(tokens[scope]).body)
            connection.request("GET", "/", headers=headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
            assert identity_of(answer) == expected


def test_a_worker_born_later_serves_as_well(server: Server, tokens: dict[str, IssuedToken]) -> None:
    before = server.ask_every_worker("strict", tokens["project"])
    os.kill(min(before), signal.SIGKILL)
    # The other one answers all the while.
    assert is_answering(server.process.url)
    give_up_at = time.monotonic() + 60
    while (answer := server.ask("strict", tokens["project"])).seen.pid in before:
        assert time.monotonic() < give_up_at, "the worker that was killed has no successor"
        time.sleep(0.02)
    assert identity_of(answer) == expected_headers(tokens["project"].body)

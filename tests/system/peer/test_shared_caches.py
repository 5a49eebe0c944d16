"""Both filters read what another process put into a shared cache, with the same outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.identity_types import project_scope
from tests.system.peer.cases import CONFIRMED, REFUSED, Case
from tests.system.peer.comparison import compare, read_verdict
from tests.system.peer.contest import Contest
from tests.system.peer.differences import find_rows
from tests.system.peer.sides import ANSWERS, Environ, Outcome

CACHED = (
    *("memcached", "memcached-simple-pool", "memcached-mac", "memcached-encrypt"),
    "anything-cache",
)


@pytest.mark.parametrize("configuration", CACHED)
def test_what_one_process_was_told_another_knows(contest: Contest, configuration: str) -> None:
    environ, withdraw = make_request(contest)

    def ask(configuration: str) -> list[str]:
        ours, peers = send_to_new_pair(contest, configuration, environ)
        case = Case(configuration, CONFIRMED)
        assert [str(found) for found in compare(ours, peers) if not find_rows(case, found)] == []
        return [read_verdict(ours), read_verdict(peers)]

    assert ask(configuration) == [CONFIRMED, CONFIRMED]
    withdraw()
    assert ask(configuration) == [CONFIRMED, CONFIRMED]
    assert ask("plain") == [REFUSED, REFUSED]


def test_a_cache_that_takes_json_alone_serves_us_as_well(contest: Contest) -> None:
    environ, withdraw = make_request(contest)

    first, peers = send_to_new_pair(contest, "text-cache", environ)
    withdraw()
    second, _ = send_to_new_pair(contest, "text-cache", environ)

    assert [read_verdict(first), read_verdict(second)] == [CONFIRMED, CONFIRMED]
    assert peers.raised == "TypeError: Object of type bytes is not JSON serializable"


def make_request(contest: Contest) -> tuple[Environ, Callable[[], None]]:
    """Return a request with a token of its own, and what takes its only role away.

    Of that no process is told (Keystone makes no revocation event): who asks anew knows.
    """
    estate = contest.backends.estate
    scope = project_scope(estate.project)
    user = estate.member_of(estate.project)
    token = estate.api.issue(user, scope).id
    environ = contest.make_environ(Case("plain", CONFIRMED, None))

    def withdraw() -> None:
        estate.api.withdraw(user, estate.role("member"), scope)

    return {**environ, "HTTP_X_AUTH_TOKEN": token}, withdraw


def send_to_new_pair(
    contest: Contest, configuration: str, environ: Environ
) -> tuple[Outcome, Outcome]:
    """Return what our filter and the peer's say, each in what is to it a new process."""
    ours, peers = contest.make_pair(configuration)
    return ours.send(environ, ANSWERS["ok"]), peers.send(environ, ANSWERS["ok"])

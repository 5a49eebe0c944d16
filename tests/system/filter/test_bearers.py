"""Remote mode notices what Keystone sends no event about, with one call for each bearer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from webtest import TestApp

from authmw.build import build_filter_parts
from authmw.middleware import AuthMiddleware
from authmw.testing import Fault, IdentityServer
from tests.support.clock import Clock
from tests.support.memcached import Memcached
from tests.support.waiting import wait_for

pytestmark = pytest.mark.both_doors

AUTHORITY_SECONDS = 60
CACHE_SECONDS = 300
GRACE_SECONDS = 300


class Protected:
    """One process's filter in front of a service that says which roles it was told."""

    def __init__(self, server: IdentityServer, clock: Clock, **options: str) -> None:
        conf = {**server.service_credentials, "revocation_poll_interval": "0", **options}
        self.middleware = AuthMiddleware.from_parts(
            _say_roles, build_filter_parts(conf, clock=clock)
        )
        self._app = TestApp(self.middleware)

    def ask(self, token: str, **headers: str) -> tuple[int, str]:
        """Return the status, and X-Roles where the service was reached."""
        response = self._app.get("/", headers={"X-Auth-Token": token, **headers}, status="*")
        return response.status_int, response.text if response.status_int == 200 else ""


def _say_roles(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["HTTP_X_ROLES"].encode()]


Protect = Callable[..., Protected]


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


@pytest.fixture
def protect(server: IdentityServer, clock: Clock) -> Iterator[Protect]:
    """Make a process's filter; keyword arguments are options, as in a paste file."""
    made: list[Protected] = []

    def make(**options: str) -> Protected:
        made.append(Protected(server, clock, **options))
        return made[-1]

    yield make
    for protected in made:
        protected.middleware.close()


@pytest.fixture(params=["memory", "memcached"])
def cache(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "memory":
        return {}
    empty_memcached: Memcached = request.getfixturevalue("empty_memcached")
    return {"memcached_servers": empty_memcached.address}


def test_a_role_taken_away_is_gone_within_the_authority_cache_time(
    protect: Protect, server: IdentityServer, clock: Clock, cache: dict[str, str]
) -> None:
    protected = protect(**cache)
    server.directory.assign("reader", "admin", project="inventory")
    tokens = [server.issue("admin", project="inventory") for _ in range(3)]
    assert {protected.ask(token) for token in tokens} == {(200, "admin,manager,member,reader")}
    server.remove_role("admin", "admin", project="inventory")
    assert protected.ask(tokens[0])[0] == 200, "nobody told us yet"
    clock.ahead_seconds = AUTHORITY_SECONDS
    assert {protected.ask(token) for token in tokens} == {(200, "reader")}


@pytest.mark.parametrize("prepare", ["project", "credential"])
def test_a_scope_or_credential_that_is_gone_is_noticed_within_the_authority_cache_time(
    protect: Protect, server: IdentityServer, clock: Clock, cache: dict[str, str], prepare: str
) -> None:
    protected = protect(**cache)
    if prepare == "project":
        token = server.issue("member", project="inventory")
    else:
        credential = server.directory.add_application_credential(
            "app", user="member", project="inventory", roles=["member"]
        )
        token = server.issue("member", application_credential=credential.id)
    assert protected.ask(token)[0] == 200
    if prepare == "project":
        server.disable_project("inventory")
    else:
        server.delete_application_credential(credential.id)
    clock.ahead_seconds = AUTHORITY_SECONDS
    assert protected.ask(token)[0] == 401


def test_one_call_renews_what_is_known_of_a_bearer_for_all_his_tokens(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect()
    tokens = [server.issue("member", project="inventory") for _ in range(20)]
    for token in tokens:
        assert protected.ask(token)[0] == 200
    server.forget_requests()
    clock.ahead_seconds = AUTHORITY_SECONDS
    for token in tokens:
        assert protected.ask(token)[0] == 200
    assert server.calls["validate"] == 1


@pytest.mark.parametrize(
    "other", [{"user": "reader"}, {"project": "research"}, {"methods": ["token", "password"]}]
)
def test_bearers_of_another_user_scope_or_method_are_asked_about_apart(
    protect: Protect, server: IdentityServer, clock: Clock, other: dict[str, Any]
) -> None:
    protected = protect()
    server.directory.assign("member", "member", project="research")
    wanted = {"user": "member", "project": "inventory", **other}
    tokens = [server.issue("member", project="inventory"), server.issue(**wanted)]
    for token in tokens:
        assert protected.ask(token)[0] == 200
    server.forget_requests()
    clock.ahead_seconds = AUTHORITY_SECONDS
    for token in tokens:
        assert protected.ask(token)[0] == 200
    assert server.calls["validate"] == 2


def test_processes_share_the_call(
    protect: Protect, server: IdentityServer, clock: Clock, empty_memcached: Memcached
) -> None:
    processes = [protect(memcached_servers=empty_memcached.address) for _ in range(3)]
    tokens = [server.issue("member", project="inventory") for _ in range(3)]
    for protected in processes:
        for token in tokens:
            assert protected.ask(token)[0] == 200
    server.forget_requests()
    clock.ahead_seconds = AUTHORITY_SECONDS
    for protected in processes:
        for token in tokens:
            assert protected.ask(token)[0] == 200
    assert server.calls["validate"] == 1


def test_a_bearer_in_use_is_renewed_before_a_request_has_to_wait(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect()
    token = server.issue("member", project="inventory")
    assert protected.ask(token)[0] == 200
    server.forget_requests()
    clock.ahead_seconds = AUTHORITY_SECONDS - 10
    assert protected.ask(token)[0] == 200
    assert wait_for(lambda: server.calls["validate"])
    assert server.calls["validate"] == 1
    with server.failing(Fault.ERROR_503):
        clock.ahead_seconds = AUTHORITY_SECONDS + 10
        assert protected.ask(token)[0] == 200
    assert server.calls["validate"] == 1, "the answer is fresh for another while"


def test_above_the_renewal_rate_roles_are_as_old_as_the_token_cache_time_allows(
    protect: Protect, server: IdentityServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "authmw")
    protected = protect(authority_renewal_rate="2")
    tokens = []
    for number in range(12):
        server.directory.add_user(f"user-{number}")
        server.directory.assign("member", f"user-{number}", project="inventory")
        tokens.append(server.issue(f"user-{number}", project="inventory"))
    for token in tokens:
        assert protected.ask(token)[0] == 200
    for number in range(12):
        server.remove_role("member", f"user-{number}", project="inventory")
    clock.ahead_seconds = AUTHORITY_SECONDS
    server.forget_requests()
    statuses = [protected.ask(token)[0] for token in tokens]
    # Two at once; and as many more as seconds have passed, which are few.
    assert 2 <= statuses.count(401) == server.calls["validate"] <= 8
    said = [
        r.getMessage() for r in caplog.records if "authority_renewal_rate = 2" in r.getMessage()
    ]
    assert len(said) == 1
    clock.ahead_seconds = CACHE_SECONDS
    assert {protected.ask(token)[0] for token in tokens} == {401}


def test_with_a_renewal_rate_of_0_bearers_are_renewed_with_their_tokens(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect(authority_renewal_rate="0")
    token = server.issue("member", project="inventory")
    assert protected.ask(token)[0] == 200
    server.remove_role("member", "member", project="inventory")
    clock.ahead_seconds = CACHE_SECONDS - 5
    assert protected.ask(token)[0] == 200
    clock.ahead_seconds = CACHE_SECONDS
    assert protected.ask(token)[0] == 401


def test_in_an_outage_a_token_is_used_up_to_the_grace_and_asked_about_now_and_then(
    protect: Protect, server: IdentityServer, clock: Clock, cache: dict[str, str]
) -> None:
    protected = protect(**cache)
    token = server.issue("member", project="inventory")
    assert protected.ask(token)[0] == 200
    with server.failing(Fault.ERROR_503):
        for ahead in range(AUTHORITY_SECONDS, CACHE_SECONDS + GRACE_SECONDS - 5, 20):
            clock.ahead_seconds = ahead
            assert protected.ask(token)[0] == 200, ahead
        clock.ahead_seconds = CACHE_SECONDS + GRACE_SECONDS
        assert protected.ask(token)[0] == 503


def test_a_bearer_who_was_refused_does_not_come_back_in_an_outage(
    protect: Protect, server: IdentityServer, clock: Clock, cache: dict[str, str]
) -> None:
    protected = protect(**cache)
    tokens = [server.issue("member", project="inventory") for _ in range(2)]
    for token in tokens:
        assert protected.ask(token)[0] == 200
    server.remove_role("member", "member", project="inventory")
    clock.ahead_seconds = AUTHORITY_SECONDS
    assert protected.ask(tokens[0])[0] == 401
    with server.failing(Fault.ERROR_503):
        assert [protected.ask(token)[0] for token in tokens] == [503, 503]


def test_logging_out_of_one_token_costs_the_other_one_call(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect()
    tokens = [server.issue("member", project="inventory") for _ in range(3)]
    for token in tokens:
        assert protected.ask(token)[0] == 200
    server.revoke(tokens[0])
    server.forget_requests()
    clock.ahead_seconds = AUTHORITY_SECONDS
    assert [protected.ask(token)[0] for token in tokens] == [401, 200, 200]
    assert server.calls["validate"] == 2


def test_a_token_that_was_good_though_it_might_have_expired_is_good_without_a_service_token(
    protect: Protect, server: IdentityServer, cache: dict[str, str]
) -> None:
    """Validated with `allow_expired` and not expired: that is full strength."""
    protected = protect(service_token_roles_required="true", **cache)
    token = server.issue("member", project="inventory")
    service = server.issue("service", project="service")
    assert protected.ask(token, **{"X-Service-Token": service})[0] == 200
    server.forget_requests()
    assert protected.ask(token)[0] == 200
    assert server.calls["validate"] == 0


def test_roles_of_an_expired_token_that_a_service_uses_are_renewed_as_often(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect(service_token_roles_required="true")
    token = server.issue("member", project="inventory", expires_in=-10)
    service = server.issue("service", project="service")
    assert protected.ask(token, **{"X-Service-Token": service})[0] == 200
    server.remove_role("member", "member", project="inventory")
    clock.ahead_seconds = AUTHORITY_SECONDS
    assert protected.ask(token, **{"X-Service-Token": service})[0] == 401
    assert protected.ask(token)[0] == 401


def test_a_token_that_was_refused_does_not_come_back_with_its_bearer(
    protect: Protect, server: IdentityServer, clock: Clock, cache: dict[str, str]
) -> None:
    """One token is revoked; another of the same bearer, which is good, vouches for him alone."""
    protected = protect(**cache)
    tokens = [server.issue("member", project="inventory") for _ in range(2)]
    for token in tokens:
        assert protected.ask(token)[0] == 200
    server.revoke(tokens[0])
    clock.ahead_seconds = AUTHORITY_SECONDS
    assert [protected.ask(token)[0] for token in tokens] == [401, 200]
    assert [protected.ask(token)[0] for token in tokens] == [401, 200]
    assert protect(**cache).ask(tokens[0])[0] == 401, "nor in another process"


def test_a_token_refused_in_the_background_does_not_stay_with_its_bearer(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect()
    tokens = [server.issue("member", project="inventory") for _ in range(2)]
    for token in tokens:
        assert protected.ask(token)[0] == 200
    server.revoke(tokens[0])
    server.forget_requests()
    clock.ahead_seconds = AUTHORITY_SECONDS - 10
    assert protected.ask(tokens[0])[0] == 200, "nobody told us yet"
    assert wait_for(lambda: server.calls["validate"])
    time.sleep(0.1)
    clock.ahead_seconds = AUTHORITY_SECONDS
    assert [protected.ask(token)[0] for token in reversed(tokens)] == [200, 401]


def test_above_the_renewal_rate_a_bearer_who_was_refused_stays_so(
    protect: Protect, server: IdentityServer, clock: Clock, cache: dict[str, str]
) -> None:
    protected = protect(authority_renewal_rate="1", **cache)
    tokens = [server.issue("member", project="inventory") for _ in range(3)]
    for token in tokens:
        assert protected.ask(token)[0] == 200
    server.remove_role("member", "member", project="inventory")
    clock.ahead_seconds = AUTHORITY_SECONDS
    # The first question is all that the rate allows.
    assert [protected.ask(token)[0] for token in tokens] == [401, 401, 401]
    assert [protected.ask(token)[0] for token in tokens] == [401, 401, 401]


def test_in_an_outage_no_older_answer_about_the_bearer_wins(
    protect: Protect, server: IdentityServer, clock: Clock, empty_memcached: Memcached
) -> None:
    mine, other = (protect(memcached_servers=empty_memcached.address) for _ in range(2))
    server.directory.assign("reader", "admin", project="inventory")
    first, second = (server.issue("admin", project="inventory") for _ in range(2))
    assert mine.ask(first) == (200, "admin,manager,member,reader")
    server.remove_role("admin", "admin", project="inventory")
    clock.ahead_seconds = CACHE_SECONDS - 50
    assert other.ask(second) == (200, "reader")
    with server.failing(Fault.ERROR_503):
        clock.ahead_seconds = 2 * CACHE_SECONDS - 40
        assert mine.ask(second) == (200, "reader")

"""While the identity service can't answer: which requests pass, for how long, and which wait."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from keystoneauth1.session import Session
from webtest import TestApp
from webtest.lint import middleware as lint

from authmw.build import build_filter_parts
from authmw.middleware import AuthMiddleware
from authmw.testing import Fault, IdentityServer
from tests.support.clock import Clock
from tests.support.memcached import Memcached
from tests.support.misbehaving import TOKEN_BODY, MisbehavingIdentity, Stage, answer
from tests.support.protected import Protected, Service

pytestmark = pytest.mark.both_doors

CACHE_SECONDS = 60
GRACE_SECONDS = 300
DEADLINE_SECONDS = 1
LONGEST_PAUSE_SECONDS = 10
# For what takes milliseconds at most; far below a deadline for each request.
MOMENT_SECONDS = 1


@pytest.fixture
def clock() -> Clock:
    return Clock(float(int(time.time())))  # a whole second


@pytest.fixture
def server(clock: Clock) -> Iterator[IdentityServer]:
    with IdentityServer(clock=clock) as running:
        yield running


Protect = Callable[..., Protected]


@pytest.fixture
def protect(server: IdentityServer, clock: Clock) -> Protect:
    def make(**options: str) -> Protected:
        conf = {
            **server.service_credentials,
            "token_cache_time": str(CACHE_SECONDS),
            "identity_outage_grace": str(GRACE_SECONDS),
            "identity_deadline": str(DEADLINE_SECONDS),
            "http_request_max_retries": "0",
            # Only requests ask, so that each test knows who does.
            "revocation_poll_interval": "0",
            **options,
        }
        service = Service()
        middleware = AuthMiddleware.from_parts(lint(service), build_filter_parts(conf, clock=clock))
        return Protected(server, service, TestApp(middleware))

    return make


def make_open(protected: Protected) -> None:
    """Let unknown tokens find out that the identity service can't answer."""
    for number in range(5):
        assert protected.get(f"unknown-{number}").status_int == 503


def protect_in_real_time(server: IdentityServer, conf: dict[str, str]) -> Protected:
    service = Service()
    middleware = AuthMiddleware(lint(service), conf)
    return Protected(server, service, TestApp(middleware))


def assert_soon(holds: Callable[[], bool]) -> None:
    """Wait for what the next probe in the background changes."""
    give_up_at = time.monotonic() + 2 * LONGEST_PAUSE_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


OUTAGES = {
    "stopped": lambda server: server.stop(),
    "failing": lambda server: setattr(server, "fault", Fault.ERROR_503),
    "unauthorized": lambda server: setattr(server, "fault", Fault.UNAUTHORIZED),
    "forbidden": lambda server: setattr(server, "fault", Fault.FORBIDDEN),
    "elsewhere": lambda server: setattr(server, "fault", Fault.REDIRECT),
    "HTML": lambda server: setattr(server, "fault", Fault.HTML),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_a_known_token_works_for_the_grace_and_not_longer(
    protect: Protect,
    server: IdentityServer,
    clock: Clock,
    outage: Callable[[IdentityServer], None],
) -> None:
    protected = protect()
    token = server.issue(project="inventory")
    assert protected.get(token).status_int == 200
    began = clock.now
    outage(server)
    for seconds in (1, CACHE_SECONDS, CACHE_SECONDS + 150, CACHE_SECONDS + GRACE_SECONDS - 1):
        clock.now = began + seconds
        assert protected.get(token).status_int == 200, seconds
        assert protected.service.last["HTTP_X_USER_NAME"] == "member"
    clock.now = began + CACHE_SECONDS + GRACE_SECONDS
    assert protected.get(token).status_int == 503
    assert len(protected.service.seen) == 5


def test_without_grace_an_outage_is_felt_once_the_answer_is_old(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect(identity_outage_grace="0")
    token = server.issue(project="inventory")
    assert protected.get(token).status_int == 200
    server.stop()
    clock.now += CACHE_SECONDS - 1
    assert protected.get(token).status_int == 200
    clock.now += 1
    assert protected.get(token).status_int == 503


@pytest.mark.parametrize("with_service_token", [False, True])
def test_grace_ends_with_the_token(
    protect: Protect,
    server: IdentityServer,
    clock: Clock,
    with_service_token: bool,  # noqa: FBT001
) -> None:
    """A service token may revive an expired user token, but only by asking."""
    protected = protect()
    token = server.issue(project="inventory", expires_in=CACHE_SECONDS + 20)
    headers = {}
    if with_service_token:
        headers = {"X-Service-Token": server.issue("service", project="service")}
    assert protected.get(token, headers=headers).status_int == 200
    began = clock.now
    server.stop()
    clock.now = began + CACHE_SECONDS + 19
    assert protected.get(token, headers=headers).status_int == 200
    clock.now = began + CACHE_SECONDS + 20
    assert protected.get(token, headers=headers).status_int == (503 if with_service_token else 401)


def test_a_token_that_was_refused_has_no_grace(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect()
    token = server.issue(project="inventory")
    assert protected.get(token).status_int == 200
    server.revoke(token)
    clock.now += CACHE_SECONDS
    assert protected.get(token).status_int == 401
    server.stop()
    assert protected.get(token).status_int == 503


def test_a_trust_that_lost_its_role_is_refused_at_once(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect()
    trust = server.directory.add_trust(
        trustor="member",
        trustee="reader",
        project="inventory",
        roles=["member"],
        impersonation=True,
    )
    token = server.issue("reader", trust=trust.id)
    assert protected.get(token).status_int == 200
    server.remove_role("member", "member", project="inventory")
    clock.now += CACHE_SECONDS
    assert protected.get(token).status_int == 401


def test_a_service_user_without_the_role_is_no_verdict_on_any_token(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect(**server.credentials("member", project="inventory"))
    token = server.issue("admin", project="inventory")
    assert protected.get(token).status_int == 503


def test_an_unknown_token_is_told_when_to_come_back(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect()
    token = server.issue(project="inventory")
    server.stop()
    make_open(protected)
    for _ in range(6):
        response = protected.get(token)
        assert response.status_int == 503
        assert response.json["error"]["code"] == 503
        assert 1 <= int(response.headers["Retry-After"]) <= LONGEST_PAUSE_SECONDS
    server.start()
    clock.now += LONGEST_PAUSE_SECONDS
    assert_soon(lambda: protected.get(token).status_int == 200)


def test_a_silent_identity_service_keeps_only_the_first_few_waiting(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    protected = protect()
    token = server.issue(project="inventory")
    assert protected.get(token).status_int == 200
    clock.now += CACHE_SECONDS
    with server.failing(Fault.HANG):
        # Nobody waits twice for one known token; three in doubt are enough to notice.
        for number in range(4):
            assert protected.get(token).status_int == 200
            assert protected.get(f"first-{number}").status_int == 503
        started = time.monotonic()
        for number in range(100):
            assert protected.get(token).status_int == 200
            assert protected.get(f"unknown-{number}").status_int == 503
        assert time.monotonic() - started < MOMENT_SECONDS
    clock.now += LONGEST_PAUSE_SECONDS
    assert protected.get(token).status_int == 200
    assert_soon(lambda: protected.get("unknown").status_int == 401)


@pytest.mark.parametrize("mode", ["offline", "remote"])
def test_no_request_waits_for_an_outage_that_is_known(
    server: IdentityServer, mode: str, tmp_path: Path, empty_memcached: Memcached
) -> None:
    """Connections are refused, which takes 1.4 s with the pauses between four tries."""
    server.clock = time.time
    server.issuer.write_public_key(tmp_path)
    conf = {
        **server.service_credentials,
        "http_request_max_retries": "3",
        "revocation_poll_interval": "1",
        "identity_outage_grace": str(GRACE_SECONDS),
    }
    if mode == "offline":
        conf |= {"jws_public_key_repository": str(tmp_path), "authority_cache_time": "1"}
    else:
        conf |= {"token_cache_time": "1", "memcached_servers": empty_memcached.address}
    protected = protect_in_real_time(server, conf)
    issue = server.issue_jws if mode == "offline" else server.issue
    tokens = [issue("member", project="inventory") for _ in range(15)]
    for token in tokens if mode == "remote" else tokens[:1]:
        assert protected.get(token).status_int == 200
    server.stop()
    time.sleep(1.1)
    assert protected.get(tokens[0]).status_int == 200  # this one may find the outage
    time.sleep(2)
    for token in tokens[1:]:  # for longer than the first pauses of the probe
        started = time.monotonic()
        assert protected.get(token).status_int == 200
        assert time.monotonic() - started < 0.5
        time.sleep(0.3)
    stranger = issue("reader", project="inventory")
    assert protected.get(stranger).status_int == 503
    server.start()
    waits = []

    def is_served() -> bool:
        started = time.monotonic()
        status = protected.get(stranger).status_int
        waits.append(time.monotonic() - started)
        return bool(status == 200)

    assert_soon(is_served)
    assert max(waits) < 1
    protected.app.app.close()


def test_call_in_our_name_fails_at_once_in_a_known_outage(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect(http_request_max_retries="3", identity_deadline="10")
    token = server.issue(project="inventory")
    assert protected.get(token).status_int == 200
    plugin = protected.service.last["keystone.token_auth"]
    session = Session(auth=plugin)
    assert plugin.get_headers(session)["X-Service-Token"]
    server.stop()
    assert protected.get("unknown").status_int == 503
    time.sleep(2)
    started = time.monotonic()
    # Ours is good, and is sent on, also where another service refuses it.
    headers = plugin.get_headers(session)
    assert plugin.invalidate()
    assert plugin.get_headers(session) == headers
    assert time.monotonic() - started < 0.5


def test_a_token_that_makes_the_identity_service_fail_harms_no_other_token() -> None:
    with MisbehavingIdentity().served() as identity:

        def validate(client: socket.socket) -> None:
            token = identity.last(Stage.VALIDATION).headers["x-subject-token"]
            is_hostile = token == "hostile"
            answer(500 if is_hostile else 200, {"token": TOKEN_BODY})(client)

        identity.behaviours = {Stage.VALIDATION: validate}
        conf = {
            "auth_type": "admin_token",
            "endpoint": f"{identity.url}/v3",
            "token": "own",
            "www_authenticate_uri": "http://id.example",
        }
        middleware = AuthMiddleware(lint(Service()), conf)
        client = TestApp(middleware)
        for number in range(20):
            for _ in range(3):
                headers = {"X-Auth-Token": "hostile"}
                assert client.get("/", headers=headers, status="*").status_int == 503
            headers = {"X-Auth-Token": f"good-{number}"}
            assert client.get("/", headers=headers, status="*").status_int == 200
        middleware.close()
        asked = [seen.headers.get("x-subject-token") for seen in identity.seen]
    # Probes are a second apart, whatever a client provokes.
    assert asked.count("own") <= 10


def test_what_was_remembered_by_a_clock_that_is_set_back_is_asked_for_again(
    protect: Protect, server: IdentityServer, clock: Clock
) -> None:
    """It would be taken for fresh for an hour longer than it is."""
    protected = protect(revocation_poll_interval="10")
    token = server.issue("member", project="inventory")
    for validations in (1, 1):
        assert protected.get(token).status_int == 200
        assert server.calls["validate"] == validations
    clock.now -= 3600
    for validations in (2, 2):
        assert protected.get(token).status_int == 200
        assert server.calls["validate"] == validations

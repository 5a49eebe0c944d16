"""The identity client while the endpoint fails: probes, fast failures, grace and log."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings
from authmw.errors import InvalidToken, Outage
from authmw.identity.client import IdentityClient
from authmw.identity.outcomes import Outcome
from tests.support.clock import Clock
from tests.support.identity_client import settings_for
from tests.support.misbehaving import (
    TOKEN_BODY,
    Behaviour,
    MisbehavingIdentity,
    Stage,
    answer,
    forbidden,
    stay_silent,
)
from tests.support.programs import run_python

VALIDATION = Stage.VALIDATION
OUTAGES = [f"token-{number}" for number in range(3)]  # enough to cast doubt
LONGEST_PAUSE_SECONDS = 10
GOOD = answer(200, {"token": TOKEN_BODY})
NOT_FOUND = answer(404, {"error": {"code": 404, "message": "x", "title": "Not Found"}})


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.0)


@pytest.fixture
def identity() -> Iterator[MisbehavingIdentity]:
    with MisbehavingIdentity().served() as running:
        yield running


@pytest.fixture
def client(identity: MisbehavingIdentity, clock: Clock) -> IdentityClient:
    settings = settings_for(identity.url)
    return IdentityClient(settings, lambda: load_auth_plugin(settings.auth), clock=clock)


def fetch(client: IdentityClient, token: str) -> Outcome:
    try:
        client.fetch_token(token)
    except Outage as outage:
        return Outcome[outage.kind]
    except InvalidToken:
        return Outcome.TOKEN_NOT_FOUND
    return Outcome.ANSWERED


def make_open(client: IdentityClient, identity: MisbehavingIdentity) -> None:
    identity.behaviours = {VALIDATION: answer(500)}
    assert [fetch(client, token) for token in [*OUTAGES, "next"]] == [Outcome.SERVER_ERROR] * 4
    assert fetch(client, "next") is Outcome.BREAKER_OPEN


def subjects(identity: MisbehavingIdentity) -> list[str]:
    return [seen.headers["x-subject-token"] for seen in identity.seen if seen.stage is VALIDATION]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.message for record in caplog.records if "authmw.identity" in record.name]
    return [message for message in messages if not message.startswith("No answer")]


def test_after_outages_in_a_row_a_probe_decides(
    client: IdentityClient, identity: MisbehavingIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    make_open(client, identity)
    assert subjects(identity) == [*OUTAGES, "own-1"]
    for number in range(100):
        assert fetch(client, f"other-{number}") is Outcome.BREAKER_OPEN
    assert len(subjects(identity)) == 4
    [opened] = said(caplog)
    assert opened.startswith("The identity endpoint does not answer")
    assert opened.endswith(
        f"{identity.url}/v3/auth/tokens: {Outcome.SERVER_ERROR.meaning.detail} (HTTP 500)"
    )


def test_a_login_that_is_refused_is_not_called_an_endpoint_that_does_not_answer(
    client: IdentityClient, identity: MisbehavingIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    identity.behaviours = {Stage.AUTHENTICATION: answer(401)}
    assert [fetch(client, token) for token in [*OUTAGES, "x", "x"]][-1] is Outcome.BREAKER_OPEN
    [opened] = said(caplog)
    assert opened.startswith("Our own login at the identity endpoint fails: calls to it fail")
    assert "correct auth_type and its options" in opened


def test_what_fails_fast_says_when_to_come_back(
    client: IdentityClient, identity: MisbehavingIdentity, clock: Clock
) -> None:
    make_open(client, identity)
    found = []
    for _ in range(6):
        with pytest.raises(Outage) as raised:
            client.fetch_token("x")
        assert raised.value.kind == Outcome.BREAKER_OPEN.name
        assert "did not answer a moment ago" in str(raised.value)
        found.append(raised.value.retry_after)
        clock.now += raised.value.retry_after
        assert fetch(client, "x") is Outcome.SERVER_ERROR  # the probe's
    # Of each pause up to a quarter is left out.
    bounds = [(1, 1), (2, 2), (3, 4), (6, 8), (8, 10), (8, 10)]
    assert all(low <= n <= high for n, (low, high) in zip(found, bounds, strict=True)), found


def test_probe_that_succeeds_lets_its_request_and_all_others_ask_again(
    client: IdentityClient,
    identity: MisbehavingIdentity,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_open(client, identity)
    identity.behaviours = {}
    assert fetch(client, "too early") is Outcome.BREAKER_OPEN
    clock.now += LONGEST_PAUSE_SECONDS
    asked = len(subjects(identity))
    assert fetch(client, "first") is Outcome.ANSWERED
    assert fetch(client, "second") is Outcome.ANSWERED
    assert subjects(identity)[asked:] == ["own-1", "first", "second"]
    probe = [seen for seen in identity.seen if seen.stage is VALIDATION][asked]
    assert (probe.headers["x-auth-token"], probe.query) == ("own-1", "nocatalog")
    assert said(caplog)[1:] == ["The identity endpoint answers again"]


def test_tokens_that_make_the_endpoint_fail_do_not_open_the_breaker(
    client: IdentityClient, identity: MisbehavingIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    """One token again and again, or always another: it makes no difference to others."""
    for number in range(5):
        for token in ("hostile", "hostile", f"hostile-{number}"):
            identity.behaviours = {VALIDATION: answer(500)}
            assert fetch(client, token) is Outcome.SERVER_ERROR
        identity.behaviours = {}
        assert fetch(client, "good") is Outcome.ANSWERED
    assert subjects(identity).count("own-1") == 5
    assert said(caplog) == []


@pytest.mark.parametrize(
    "sign",
    [GOOD, NOT_FOUND, answer(400), forbidden()],
    ids=["token", "unknown token", "bad request", "forbidden"],
)
def test_every_word_of_the_endpoint_is_a_sign_of_life(
    client: IdentityClient, identity: MisbehavingIdentity, sign: Behaviour
) -> None:
    for _ in range(4):
        identity.behaviours = {VALIDATION: answer(500)}
        fetch(client, "a")
        fetch(client, "b")
        identity.behaviours = {VALIDATION: sign}
        fetch(client, "c")
    assert "own-1" not in subjects(identity)


def test_limit_on_the_rate_opens_nothing(
    client: IdentityClient, identity: MisbehavingIdentity
) -> None:
    identity.behaviours = {VALIDATION: answer(429, headers={"Retry-After": "7"})}
    for number in range(10):
        with pytest.raises(Outage) as raised:
            client.fetch_token(f"token-{number}")
        assert (raised.value.kind, raised.value.retry_after) == (Outcome.OVERLOADED.name, 7)
    assert "own-1" not in subjects(identity)


def test_refused_credentials_are_not_sent_again_and_again(
    client: IdentityClient, identity: MisbehavingIdentity
) -> None:
    identity.behaviours = {Stage.AUTHENTICATION: answer(401)}
    outcomes = [fetch(client, f"token-{number}") for number in range(50)]
    assert outcomes == [Outcome.CREDENTIALS_REFUSED] * 4 + [Outcome.BREAKER_OPEN] * 46
    assert identity.count(Stage.AUTHENTICATION) == 4


def test_probe_authenticates_again_where_needed(
    client: IdentityClient, identity: MisbehavingIdentity, clock: Clock
) -> None:
    make_open(client, identity)
    clock.now += LONGEST_PAUSE_SECONDS
    identity.behaviours = {VALIDATION: [answer(401), GOOD]}
    asked = len(subjects(identity))
    assert fetch(client, "x") is Outcome.ANSWERED
    assert subjects(identity)[asked:] == ["own-1", "own-2", "x"]


def test_credentials_without_a_token_ask_for_the_version(
    identity: MisbehavingIdentity, clock: Clock
) -> None:
    settings = load_settings(
        {
            "auth_type": "http_basic",
            "endpoint": f"{identity.url}/v3",
            "username": "nova",
            "password": "x",
            "identity_deadline": 1,
            "http_request_max_retries": 0,
        }
    )
    client = IdentityClient(settings, lambda: load_auth_plugin(settings.auth), clock=clock)
    identity.behaviours = {VALIDATION: answer(500)}
    for token in OUTAGES:
        assert fetch(client, token) is Outcome.SERVER_ERROR
    identity.behaviours = {}
    assert fetch(client, "x") is Outcome.ANSWERED
    probe, question = identity.seen[-2:]
    assert (probe.stage, probe.path) == (Stage.DISCOVERY, "/v3")
    assert "x-subject-token" not in probe.headers
    assert probe.headers["authorization"].startswith("Basic ")
    assert question.headers["x-subject-token"] == "x"


@pytest.mark.heavy
def test_silent_endpoint_costs_one_deadline_for_the_first_few(
    client: IdentityClient, identity: MisbehavingIdentity
) -> None:
    identity.behaviours = {VALIDATION: stay_silent}
    for token in [*OUTAGES, "next"]:
        assert fetch(client, token) is Outcome.DEADLINE
    started = time.monotonic()
    for number in range(1000):
        assert fetch(client, f"token-{number}") is Outcome.BREAKER_OPEN
    # Far less than the deadline of one of them.
    assert time.monotonic() - started < 1


def test_while_one_thread_probes_the_others_fail_fast(
    identity: MisbehavingIdentity, clock: Clock
) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def answer_late(connected: socket.socket) -> None:
        asked.set()
        may_answer.wait(10)
        GOOD(connected)

    settings = settings_for(identity.url, identity_deadline=20)
    patient = IdentityClient(settings, lambda: load_auth_plugin(settings.auth), clock=clock)
    make_open(patient, identity)
    clock.now += LONGEST_PAUSE_SECONDS
    identity.behaviours = {VALIDATION: [answer_late, GOOD]}
    outcomes: list[Outcome] = []
    prober = threading.Thread(target=lambda: outcomes.append(fetch(patient, "prober")))
    prober.start()
    assert asked.wait(10)
    assert [fetch(patient, "x") for _ in range(20)] == [Outcome.BREAKER_OPEN] * 20
    may_answer.set()
    prober.join(10)
    assert outcomes == [Outcome.ANSWERED]
    assert fetch(patient, "x") is Outcome.ANSWERED


class EndingPlugin(Token):
    """Credentials that are being got when the thread is told to end."""

    is_ending = False

    def get_headers(self, session: Session) -> dict[str, str] | None:
        if self.is_ending:
            raise SystemExit
        return super().get_headers(session)


def test_prober_that_is_told_to_end_leaves_the_probe_to_the_next(
    identity: MisbehavingIdentity, clock: Clock
) -> None:
    """A server ends a worker's thread by an exception that is no Exception."""
    plugin = EndingPlugin(f"{identity.url}/v3", "own")
    client = IdentityClient(settings_for(identity.url), plugin, clock=clock)
    make_open(client, identity)
    clock.now += LONGEST_PAUSE_SECONDS
    identity.behaviours = {}
    plugin.is_ending = True
    with pytest.raises(SystemExit):
        client.fetch_token("x")
    plugin.is_ending = False
    assert fetch(client, "x") is Outcome.ANSWERED


def test_open_breaker_keeps_the_challenge_from_asking(
    client: IdentityClient, identity: MisbehavingIdentity
) -> None:
    make_open(client, identity)
    asked = len(identity.seen)
    assert client.authenticate_uri() == identity.url
    assert len(identity.seen) == asked


def test_failing_fast_asks_nothing_and_says_nothing_more_in_the_log(
    client: IdentityClient, identity: MisbehavingIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    make_open(client, identity)
    asked = len(identity.seen)
    caplog.clear()
    assert fetch(client, "x") is Outcome.BREAKER_OPEN
    assert len(identity.seen) == asked
    assert caplog.records == []


def test_question_in_the_background_is_sent_all_the_same_and_closes_nothing(
    client: IdentityClient, identity: MisbehavingIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    make_open(client, identity)
    caplog.clear()
    assert client.fetch_json("/OS-REVOKE/events", {}).body == {"events": []}
    assert identity.count(Stage.OTHER) == 1
    assert fetch(client, "x") is Outcome.BREAKER_OPEN
    identity.behaviours = {Stage.OTHER: answer(500)}
    with pytest.raises(Outage) as raised:
        client.fetch_json("/OS-REVOKE/events", {})
    assert raised.value.kind == Outcome.SERVER_ERROR.name
    assert caplog.records == []


PROGRAM = """
{patch}
import os, sys
from tests.identity.test_outages import OUTAGES, fetch
from tests.support.identity_client import client_for
client = client_for({url!r}, identity_deadline=20)
print(*[fetch(client, token).name for token in [*OUTAGES, "a", "b"]])
{then}
"""


def run_program(program: str) -> str:
    return run_python("-W", "ignore", "-c", program).stdout.strip()


@pytest.mark.heavy
@pytest.mark.parametrize(
    "patch",
    [
        "",
        "import eventlet; eventlet.monkey_patch()",
        "from gevent import monkey; monkey.patch_all()",
    ],
    ids=["threads", "eventlet", "gevent"],
)
def test_each_kind_of_thread_fails_fast(identity: MisbehavingIdentity, patch: str) -> None:
    identity.behaviours = {VALIDATION: answer(500)}
    printed = run_program(PROGRAM.format(patch=patch, url=identity.url, then=""))
    assert printed == "SERVER_ERROR SERVER_ERROR SERVER_ERROR SERVER_ERROR BREAKER_OPEN"


@pytest.mark.heavy
def test_each_process_has_its_own(identity: MisbehavingIdentity) -> None:
    identity.behaviours = {VALIDATION: answer(500)}
    then = """
sys.stdout.flush()
child = os.fork()
if child == 0:
    print(fetch(client, "c").name, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    printed = run_program(PROGRAM.format(patch="", url=identity.url, then=then)).splitlines()
    assert [line.split()[-1] for line in printed] == ["BREAKER_OPEN", "SERVER_ERROR"]


def test_probe_failing_is_logged_without_any_token(
    client: IdentityClient, identity: MisbehavingIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    make_open(client, identity)
    assert "own-1" not in caplog.text
    assert not any(token in caplog.text for token in OUTAGES)

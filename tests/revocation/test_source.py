"""Fetching events from the identity endpoint, apart from the circuit breaker."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from authmw.config.auth_plugin import load_auth_plugin
from authmw.errors import EventsForbidden, IdentityUnavailable, Outage
from authmw.identity.client import IdentityClient
from authmw.identity.outcomes import Outcome
from authmw.revocation.feed import RevocationFeed
from authmw.revocation.source import IdentityEvents
from tests.support.clock import Clock
from tests.support.identity_client import settings_for
from tests.support.misbehaving import MisbehavingIdentity, Stage, answer, forbidden, hang_up

SINCE = "2026-01-02T03:04:05.000006Z"


@pytest.fixture
def identity() -> Iterator[MisbehavingIdentity]:
    with MisbehavingIdentity().served() as running:
        yield running


@pytest.fixture
def client(identity: MisbehavingIdentity, clock: Clock) -> IdentityClient:
    settings = settings_for(identity.url)
    return IdentityClient(
        settings, lambda: load_auth_plugin(settings.auth), clock=lambda: clock.now
    )


@pytest.fixture
def feed(client: IdentityClient) -> RevocationFeed:
    return RevocationFeed(
        IdentityEvents(client),
        poll_interval_seconds=10,
        max_staleness_seconds=600,
        retention_seconds=1000,
        max_events=10,
    )


def poll(feed: RevocationFeed, clock: Clock, times: int) -> None:
    for _ in range(times):
        feed.poll(clock.now)
        clock.advance(10)


def test_only_the_feed_speaks_of_its_outages_and_once_for_each_change(
    feed: RevocationFeed,
    identity: MisbehavingIdentity,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "authmw"):
        for behaviour in (answer(503), forbidden(), None, hang_up):
            identity.behaviours = {} if behaviour is None else {Stage.OTHER: behaviour}
            poll(feed, clock, 4)
    asked = f"GET {identity.url}/v3/OS-REVOKE/events"
    failed, refused, again, broken = caplog.messages
    start = "revocation events can't be read: "
    assert failed == f"{start}{asked}: the server failed (HTTP 503)"
    assert refused == (
        f"{start}our own user may not read them, so a revoked token is accepted while it is "
        f"cached; give the user the service role ({asked}: our own credentials may not do this: "
        "give the user of auth_type the role that Keystone's policy asks for (service or admin) "
        '(HTTP 403, "You are not authorized: identity:do_this."))'
    )
    assert again == "revocation events can be read again"
    assert broken.startswith(f"{start}{asked}: the connection broke")


def test_its_outages_make_no_request_probe_and_open_nothing(
    feed: RevocationFeed, client: IdentityClient, identity: MisbehavingIdentity, clock: Clock
) -> None:
    identity.behaviours = {Stage.OTHER: answer(500)}
    poll(feed, clock, 10)
    assert identity.count(Stage.OTHER) == 10
    client.fetch_token("good")
    validations = [seen for seen in identity.seen if seen.stage is Stage.VALIDATION]
    assert [seen.headers["x-subject-token"] for seen in validations] == ["good"]


def test_an_open_breaker_keeps_it_from_nothing_and_only_a_probe_closes_it(
    feed: RevocationFeed, client: IdentityClient, identity: MisbehavingIdentity, clock: Clock
) -> None:
    identity.behaviours = {Stage.VALIDATION: answer(500)}
    for number in range(5):
        with pytest.raises(IdentityUnavailable):
            client.fetch_token(f"token-{number}")
    feed.poll(clock.now)
    assert feed.answered_at == clock.now
    with pytest.raises(Outage) as raised:
        client.fetch_token("another")
    assert raised.value.kind == Outcome.BREAKER_OPEN.name


def test_a_403_is_told_from_an_outage(
    client: IdentityClient, identity: MisbehavingIdentity
) -> None:
    events = IdentityEvents(client)
    identity.behaviours = {Stage.OTHER: forbidden()}
    with pytest.raises(EventsForbidden):
        events.fetch_events(SINCE)
    identity.behaviours = {Stage.OTHER: answer(503)}
    with pytest.raises(Outage) as raised:
        events.fetch_events(SINCE)
    assert raised.value.kind == Outcome.SERVER_ERROR.name

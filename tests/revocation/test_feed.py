"""One process polls for events: when, since when, and what it decides without them."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from authmw.errors import EventsForbidden, IdentityUnavailable, InvalidToken, Reason
from authmw.revocation.facts import facts_of
from authmw.revocation.feed import RevocationFeed
from authmw.revocation.sharing.file_store import FileStore
from authmw.revocation.source import EventsAnswer
from tests.support.clock import Clock
from tests.support.literal_revocation import iso, seconds
from tests.support.revocation_site import EventServer, make_feed
from tests.support.revocation_tokens import token_of
from tests.support.token_bodies import ISSUED_AT


@pytest.fixture
def server(clock: Clock) -> EventServer:
    return EventServer(clock)


def is_revoked(feed: RevocationFeed, user_id: str = "u1") -> bool:
    try:
        feed.verify_not_revoked(facts_of(token_of(user={"id": user_id, "domain": {"id": "d1"}})))
    except InvalidToken:
        return True
    return False


EVERYTHING = -ISSUED_AT


def asked_since(server: EventServer) -> list[int]:
    """Return what was asked for, in seconds from the start; any time in 1970 is all there is."""
    moments = [seconds(since) for since in server.asked]
    return [EVERYTHING if moment < 365 * 86400 else moment - ISSUED_AT for moment in moments]


def test_a_revoked_token_is_refused_and_the_log_learns_by_what(server: EventServer) -> None:
    feed = make_feed(server)
    feed.poll(server.clock.now)
    feed.verify_not_revoked(facts_of(token_of()))
    server.revoke(user_id="u1", project_id="p1")
    server.clock.advance(10)
    feed.poll(server.clock.now)

    with pytest.raises(InvalidToken) as refusal:
        feed.verify_not_revoked(facts_of(token_of()))
    assert refusal.value.reason is Reason.REVOKED
    assert str(refusal.value) == "revoked: a revocation event of user_id, project_id covers it"


def test_an_empty_database_is_an_answer(server: EventServer) -> None:
    feed = make_feed(server)
    feed.poll(server.clock.now)
    assert (feed.generation, len(feed), feed.is_stale(server.clock.now)) == (0, 0, False)
    feed.verify_events_complete(ISSUED_AT, server.clock.now)


def test_it_asks_for_everything_first_and_then_for_a_minute_before_the_last_answer(
    server: EventServer,
) -> None:
    feed = make_feed(server)
    for _ in range(3):
        feed.poll(server.clock.now)
        server.clock.advance(10)
    assert asked_since(server) == [EVERYTHING, -60, -50]


def test_it_asks_only_once_in_an_interval_and_again_after_a_failure(server: EventServer) -> None:
    feed = make_feed(server)
    server.fault = IdentityUnavailable("down")
    for _ in range(100):
        feed.poll(server.clock.now)
        server.clock.advance(1)
    # By itself a process may be a tenth early, see `reload_at`.
    assert len(server.asked) == 12


def test_the_next_poll_is_planned_within_the_interval_and_then_asks(server: EventServer) -> None:
    feed = make_feed(server)
    for number in range(20):
        feed.reload(server.clock.now)
        assert len(server.asked) == number + 1
        assert 9 <= feed.reload_at - server.clock.now <= 10
        server.clock.now = feed.reload_at


@pytest.mark.parametrize("ahead", [-86400 * 30, -3600, -2, 2, 3600, 86400 * 30])
def test_the_earlier_of_the_server_s_clock_and_ours_decides_what_is_asked_for(
    server: EventServer, ahead: float
) -> None:
    server.ahead = ahead
    server.revoke(user_id="u0")
    feed = make_feed(server)
    for number in range(1, 30):
        feed.poll(server.clock.now)
        server.clock.advance(5)
        server.revoke(user_id=f"u{number}")
        server.clock.advance(5)
    feed.poll(server.clock.now)

    assert len(feed) == 30
    assert asked_since(server)[-1] == 290 + min(ahead, 0) - 10 - 60
    assert not feed.is_stale(server.clock.now)


def test_one_server_whose_clock_runs_ahead_hides_no_events_of_the_others(
    server: EventServer,
) -> None:
    feed = make_feed(server, interval=300, max_staleness=900)
    for number in range(20):
        is_wrong = number in (5, 6, 7, 12)
        server.ahead = 3600 if is_wrong else 0
        feed.poll(server.clock.now)
        server.ahead = 0
        server.clock.advance(150)
        server.revoke(user_id=f"u{number}")
        server.clock.advance(150)
    feed.poll(server.clock.now)
    assert len(feed) == 20


def test_a_server_whose_clock_is_set_back_is_believed(server: EventServer) -> None:
    server.ahead = 3600
    feed = make_feed(server)
    feed.poll(server.clock.now)
    server.ahead = 0
    for number in range(5):
        server.clock.advance(10)
        server.revoke(user_id=f"u{number}")
        feed.poll(server.clock.now)
    # The first of these answers still asked by the old time; the next one makes up for it.
    assert len(feed) == 5


class BehindProxy(EventServer):
    """Its events carry Keystone's clock, its answers the Date of a proxy whose clock is ahead.

    Attributes:
        proxy_ahead: by so many seconds.
    """

    proxy_ahead = 0.0

    def fetch_events(self, since: str) -> EventsAnswer:
        answer = super().fetch_events(since)
        return EventsAnswer(answer.document, self.clock.now + self.proxy_ahead)


@pytest.mark.parametrize("proxy_ahead", [-3600, 30, 70, 300, 86400])
@pytest.mark.parametrize("ours_ahead", [-3600, -70, 0, 50])
def test_no_event_is_missed_behind_a_proxy_whose_clock_is_wrong(
    clock: Clock, proxy_ahead: float, ours_ahead: float
) -> None:
    server = BehindProxy(clock)
    server.proxy_ahead = proxy_ahead
    feed = make_feed(server)
    feed.poll(clock.now + ours_ahead)
    for number in range(30):
        clock.advance(5)
        server.revoke(user_id=f"u{number}")
        clock.advance(5)
        feed.poll(clock.now + ours_ahead)
        assert len(feed) == number + 1


@pytest.mark.parametrize("ahead", [3600, 86400 * 400])
def test_what_was_made_while_both_clocks_were_ahead_is_asked_for_anew(
    server: EventServer, ahead: float
) -> None:
    server.ahead = ahead
    feed = make_feed(server, interval=300, max_staleness=900)
    feed.poll(server.clock.now + ahead)
    server.ahead = 0
    server.clock.advance(100)
    server.revoke(user_id="u1")
    server.clock.advance(200)
    feed.poll(server.clock.now)
    assert is_revoked(feed)
    assert asked_since(server) == [EVERYTHING, ahead - 60, EVERYTHING]
    server.clock.advance(300)
    feed.poll(server.clock.now)
    assert asked_since(server)[3:] == [300 - 60]


def test_what_was_made_while_our_clock_was_ahead_behind_such_a_proxy_is_asked_for_anew(
    clock: Clock,
) -> None:
    server = BehindProxy(clock)
    server.proxy_ahead = 3600
    feed = make_feed(server)
    feed.poll(clock.now + 3600)
    clock.advance(10)
    server.revoke(user_id="u1")
    clock.advance(10)
    feed.poll(clock.now + 3600)
    assert not is_revoked(feed)  # neither clock tells
    clock.advance(10)
    feed.poll(clock.now)  # ours was set
    assert is_revoked(feed)


class Overwhelmed(EventServer):
    """A server that can't list everything, for a while."""

    is_overwhelmed = False

    def fetch_events(self, since: str) -> EventsAnswer:
        if self.is_overwhelmed and seconds(since) < ISSUED_AT:
            raise IdentityUnavailable("too much for me")
        return super().fetch_events(since)


def test_until_everything_was_asked_for_anew_nothing_counts_as_an_answer(clock: Clock) -> None:
    server = Overwhelmed(clock, ahead=3600)
    feed = make_feed(server)
    feed.poll(clock.now + 3600)
    answered_at = feed.answered_at
    server.ahead = 0
    server.revoke(user_id="u1")
    for is_overwhelmed in (True, True, False):
        clock.advance(10)
        server.is_overwhelmed = is_overwhelmed
        feed.poll(clock.now)
        assert is_revoked(feed) is not is_overwhelmed
        assert (feed.answered_at == answered_at) is is_overwhelmed


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_first_answer_by_a_clock_far_ahead_makes_no_event_look_old(
    server: EventServer, tmp_path: Path, *, is_shared: bool
) -> None:
    store = FileStore(tmp_path / "feed", "site") if is_shared else None
    server.revoke(user_id="u1")
    server.ahead = 86400 * 400
    feeds = [make_feed(server, store=store) for _ in range(2)]
    for feed in feeds:
        feed.poll(server.clock.now)
        assert is_revoked(feed)
    assert len(server.asked) == (1 if is_shared else 2)


def test_processes_forked_from_one_never_ask_the_same(server: EventServer) -> None:
    # Keystone may give the second the answer that it gave the first, an hour ago.
    feed = make_feed(server)
    first, second = (_ask_in_a_child(feed, server) for _ in range(2))
    assert first != second
    assert first.startswith("1970-01-")


def _ask_in_a_child(feed: RevocationFeed, server: EventServer) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        feed.poll(server.clock.now)
        os.write(writer, server.asked[-1].encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as said:
        return said.read()


def test_our_own_clock_set_back_does_not_keep_us_from_asking(server: EventServer) -> None:
    feed = make_feed(server)
    feed.poll(server.clock.now)
    feed.poll(server.clock.now - 3600)
    assert asked_since(server) == [EVERYTHING, -60, EVERYTHING]


def test_without_a_date_everything_is_asked_for_again(server: EventServer) -> None:
    server.has_date = False
    feed = make_feed(server)
    for number in range(3):
        server.revoke(user_id=f"u{number}")
        feed.poll(server.clock.now)
        server.clock.advance(10)
    assert asked_since(server) == [EVERYTHING] * 3
    assert len(feed) == 3
    assert not feed.is_stale(server.clock.now)


def test_an_answer_that_lost_its_date_repeats_the_question(server: EventServer) -> None:
    feed = make_feed(server)
    for has_date in (True, False, False, True, True):
        server.has_date = has_date
        feed.poll(server.clock.now)
        server.clock.advance(10)
    assert asked_since(server) == [-ISSUED_AT, -60, -60, -60, -30]
    assert len(set(server.asked)) == 5


def test_generation_stays_while_an_event_is_repeated(server: EventServer) -> None:
    feed = make_feed(server)
    server.revoke(user_id="u1")
    generations = []
    for _ in range(10):
        feed.poll(server.clock.now)
        generations.append(feed.generation)
        server.clock.advance(10)
    assert generations == [1] * 10


def test_a_restarted_server_that_lost_its_events_takes_none_back(server: EventServer) -> None:
    feed = make_feed(server)
    server.revoke(user_id="u1")
    feed.poll(server.clock.now)
    server.fault = IdentityUnavailable("restarting")
    server.clock.advance(10)
    feed.poll(server.clock.now)
    server.fault = None
    server.events.clear()
    server.clock.advance(10)
    feed.poll(server.clock.now)
    assert is_revoked(feed)


def test_a_restarted_process_knows_everything_after_its_first_poll(server: EventServer) -> None:
    server.revoke(user_id="u1")
    server.clock.advance(100_000)
    feed = make_feed(server)
    assert feed.is_stale(server.clock.now)
    feed.poll(server.clock.now)
    assert is_revoked(feed)


# What can't be known


def refusal_of(feed: RevocationFeed, now: float) -> str:
    with pytest.raises(IdentityUnavailable) as refusal:
        feed.verify_events_complete(ISSUED_AT, now)
    return refusal.value.detail


def test_before_the_first_answer_nothing_can_be_decided(server: EventServer) -> None:
    feed = make_feed(server)
    assert refusal_of(feed, server.clock.now) == (
        "no revocation events were read yet: nothing polls them"
    )


def test_past_max_staleness_nothing_can_be_decided_until_an_answer_comes(
    server: EventServer,
) -> None:
    feed = make_feed(server)
    feed.poll(server.clock.now)
    server.fault = IdentityUnavailable("the server fell silent")
    server.clock.advance(600)
    feed.poll(server.clock.now)
    feed.verify_events_complete(ISSUED_AT, server.clock.now)

    server.clock.advance(1)
    assert refusal_of(feed, server.clock.now) == (
        "revocation events were last read at 2023-11-14T22:13:20+00:00, longer ago than "
        "revocation_max_staleness: the server fell silent"
    )
    server.fault = None
    server.clock.advance(10)
    feed.poll(server.clock.now)
    feed.verify_events_complete(ISSUED_AT, server.clock.now)


def test_a_clock_set_back_makes_events_stale_rather_than_fresh_for_ever(
    server: EventServer,
) -> None:
    feed = make_feed(server)
    feed.poll(server.clock.now)
    assert feed.is_stale(server.clock.now - 601)


@pytest.mark.parametrize("answer", [[1], {"events": "none"}, {"events": [7]}])
def test_an_answer_that_is_no_list_of_events_is_no_answer(
    server: EventServer, answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    feed = make_feed(server)
    server.answer = answer
    with caplog.at_level(logging.WARNING):
        feed.poll(server.clock.now)
    assert feed.is_stale(server.clock.now)
    assert caplog.messages[0].startswith(
        "revocation events can't be read: the answer is no list of events: "
    )


def test_trouble_is_logged_once_and_its_end_too(
    server: EventServer, caplog: pytest.LogCaptureFixture
) -> None:
    feed = make_feed(server)
    with caplog.at_level(logging.INFO):
        for fault in (IdentityUnavailable("down"), IdentityUnavailable("still down"), None, None):
            server.fault = fault
            feed.poll(server.clock.now)
            server.clock.advance(10)
    assert caplog.messages == [
        "revocation events can't be read: down",
        "revocation events can be read again",
    ]


def test_a_user_that_may_not_read_events_is_named_once(
    server: EventServer, caplog: pytest.LogCaptureFixture
) -> None:
    feed = make_feed(server)
    server.fault = EventsForbidden("HTTP 403")
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            feed.poll(server.clock.now)
            server.clock.advance(10)
    [message] = caplog.messages
    assert message == (
        "revocation events can't be read: our own user may not read them, so a revoked token is "
        "accepted while it is cached, and a signed one that is validated offline gets 503; give "
        "the user the service role (HTTP 403)"
    )


def test_an_event_without_attributes_revokes_everything_and_is_logged_once(
    server: EventServer, caplog: pytest.LogCaptureFixture
) -> None:
    feed = make_feed(server)
    server.revoke(shoe_size=43)
    with caplog.at_level(logging.WARNING):
        feed.poll(server.clock.now)
        server.clock.advance(10)
        feed.poll(server.clock.now)
    with pytest.raises(InvalidToken, match="a revocation event of all tokens covers it"):
        feed.verify_not_revoked(facts_of(token_of()))
    feed.verify_not_revoked(facts_of(token_of(issued_at=iso(ISSUED_AT + 1))))
    covers_all, ignored = caplog.messages
    assert covers_all == (
        "a revocation event names no attribute we know: every token issued up to "
        "2023-11-14T22:13:20+00:00 is revoked"
    )
    assert ignored == (
        "members of a revocation event were not understood and are ignored, so it covers more "
        "tokens: ('shoe_size',)"
    )


def test_with_too_many_events_only_tokens_older_than_a_dropped_one_can_t_be_decided(
    server: EventServer, caplog: pytest.LogCaptureFixture
) -> None:
    feed = make_feed(server, max_events=10)
    for number in range(15):
        server.revoke(audit_id=f"a{number}")
        server.clock.advance(1)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            feed.poll(server.clock.now)
            server.clock.advance(10)

    now = server.clock.now
    assert (len(feed), feed.generation) == (10, 1)
    assert refusal_of(feed, now) == (
        "there are more than revocation_max_events = 10 revocation events, and one that was "
        "dropped might cover this token"
    )
    with pytest.raises(IdentityUnavailable):
        feed.verify_events_complete(ISSUED_AT + 4, now)
    feed.verify_events_complete(ISSUED_AT + 5, now)
    [message] = caplog.messages
    assert message == (
        "there are more than revocation_max_events = 10 revocation events: the oldest are "
        "dropped, and signed tokens issued up to 2023-11-14T22:13:24+00:00 get 503; raise "
        "revocation_max_events"
    )


def test_before_there_are_too_many_events_a_warning_says_so_once(
    server: EventServer, caplog: pytest.LogCaptureFixture
) -> None:
    feed = make_feed(server, max_events=10)
    said = []
    for number in range(10):
        server.revoke(audit_id=f"a{number}")
        feed.poll(server.clock.now)
        said.append(len(caplog.messages))
        server.clock.advance(10)
    assert said == [0] * 8 + [1] * 2
    [message] = caplog.messages
    assert message == (
        "9 revocation events are kept, of revocation_max_events = 10: beyond that the oldest are "
        "dropped, and signed tokens of their time get 503"
    )
    # After two days, when they are gone, it is said again.
    server.clock.advance(180_600)
    feed.poll(server.clock.now)
    assert len(feed) == 0
    for number in range(9):
        server.revoke(audit_id=f"b{number}")
    server.clock.advance(10)
    feed.poll(server.clock.now)
    assert len(caplog.messages) == 2


def test_a_token_older_than_a_dropped_event_can_t_be_decided_and_the_log_says_why(
    server: EventServer, caplog: pytest.LogCaptureFixture
) -> None:
    feed = make_feed(server)
    server.revoke(user_id="u1")
    feed.poll(server.clock.now)
    assert is_revoked(feed)
    generation = feed.generation
    server.clock.advance(180_600)
    for _ in range(3):
        feed.poll(server.clock.now)
        assert refusal_of(feed, server.clock.now) == (
            "a revocation event that might cover this token is older than revocation_retention = "
            "180000 and was dropped"
        )
        server.clock.advance(10)
    assert feed.generation > generation, "remembered tokens are looked at again"
    feed.verify_events_complete(
        token_of(issued_at=iso(ISSUED_AT + 1)).issued_at, server.clock.now - 10
    )
    [message] = caplog.messages
    assert message == (
        "signed tokens issued before 2023-11-14T22:13:21+00:00 get 503: revocation events that "
        "may cover them are older than revocation_retention = 180000 and were dropped; raise "
        "revocation_retention to the longest life of a token"
    )


def test_a_process_that_starts_late_can_t_decide_an_older_token_either(
    server: EventServer,
) -> None:
    server.revoke(user_id="u1")
    server.clock.advance(180_601)
    feed = make_feed(server)
    feed.poll(server.clock.now)
    assert "revocation_retention" in refusal_of(feed, server.clock.now)


def test_an_overflow_has_remembered_tokens_looked_at_again(server: EventServer) -> None:
    feed = make_feed(server, max_events=10)
    feed.poll(server.clock.now)
    feed.verify_events_complete(ISSUED_AT, server.clock.now)
    generation = feed.generation
    server.revoke(user_id="u1")
    for number in range(15):
        server.clock.advance(1)
        server.revoke(audit_id=f"a{number}")
    feed.poll(server.clock.now)
    assert feed.generation > generation
    assert not is_revoked(feed)
    assert "revocation_max_events" in refusal_of(feed, server.clock.now)


def test_an_interval_of_zero_makes_no_feed(server: EventServer) -> None:
    with pytest.raises(ValueError, match="a feed polls at intervals of 1 s or more"):
        make_feed(server, interval=0)


class HeldUpServer:
    """Answers once it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def fetch_events(self, since: str) -> EventsAnswer:
        self.asked.set()
        assert self.may_answer.wait(30)
        return EventsAnswer({"events": []}, float(ISSUED_AT))


def test_while_one_thread_asks_the_others_go_on() -> None:
    server = HeldUpServer()
    feed = RevocationFeed(
        server,
        poll_interval_seconds=10,
        max_staleness_seconds=600,
        retention_seconds=1000,
        max_events=10,
    )
    asking = threading.Thread(target=feed.poll, args=(float(ISSUED_AT),))
    asking.start()
    try:
        assert server.asked.wait(30)
        feed.poll(float(ISSUED_AT) + 20)
        assert feed.is_stale(float(ISSUED_AT))
    finally:
        server.may_answer.set()
        asking.join(30)
    assert not feed.is_stale(float(ISSUED_AT))

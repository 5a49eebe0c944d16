"""Processes share one poll, whichever of them dies, writes nonsense or starts late."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from authmw.errors import CacheError, EventsForbidden, IdentityUnavailable
from authmw.revocation.events import RevocationEvent
from authmw.revocation.feed import RevocationFeed
from authmw.revocation.sharing import record as shared_record
from authmw.revocation.sharing.file_store import FileStore
from authmw.revocation.sharing.shared_polling import edition_of
from authmw.revocation.sharing.store import SharedStore
from tests.support.clock import Clock
from tests.support.revocation_site import EventServer, Site, make_feed, make_site


@pytest.fixture
def server(clock: Clock) -> EventServer:
    return EventServer(clock)


@pytest.fixture
def open_store(tmp_path: Path) -> Callable[[], SharedStore]:
    return lambda: FileStore(tmp_path / "feed", "site")


class LossyStore:
    """A store that forgets what its test says, as memcached does."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store
        self.is_lost = False
        self.fault: CacheError | None = None
        self.is_lease_stuck = False
        self.most_bytes = 10**9

    def read(self) -> bytes | None:
        if self.fault is not None:
            raise self.fault
        return None if self.is_lost else self._store.read()

    def write(self, record: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        if len(record) > self.most_bytes:
            raise CacheError("too many bytes")
        self._store.write(record)

    def try_lease(self, edition: str, seconds: float, now: float) -> bool:
        if self.fault is not None:
            raise self.fault
        return not self.is_lease_stuck and self._store.try_lease(edition, seconds, now)


@pytest.fixture
def lossy(open_store: Callable[[], SharedStore]) -> LossyStore:
    return LossyStore(open_store())


def take_lease(store: SharedStore, now: float) -> None:
    record = store.read()
    assert store.try_lease("" if record is None else edition_of(record), 10, now)


def knows(feed: RevocationFeed) -> set[RevocationEvent]:
    return set(feed._poller.index)


def test_a_hundred_processes_cost_one_poll_an_interval(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    site = make_site(server, 100, open_store)
    site.run(100)
    # One at once and then one every ten seconds, a step of the clock late at most.
    assert len(server.asked) == 10
    assert len(set(server.asked)) == 10


@pytest.mark.parametrize("size", [2, 20])
def test_every_process_honours_an_event_within_an_interval_and_a_second(
    server: EventServer, open_store: Callable[[], SharedStore], size: int
) -> None:
    site = make_site(server, size, open_store)
    site.run(33)
    for number in range(12):
        server.revoke(user_id=f"u{number}")
        site.run(11)
        assert {len(feed) for feed in site.feeds} == {number + 1}
        assert {feed.generation for feed in site.feeds} == {number + 1}


@pytest.mark.heavy
def test_all_know_the_same_however_many_events_there_are(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    for number in range(2 * shared_record.MAX_EVENTS):
        server.revoke(audit_id=f"old{number}")
    server.clock.advance(1000)
    site = make_site(server, 5, open_store)
    site.run(15)
    asked = len(server.asked)
    late = 0
    for batch in range(8):
        for number in range(shared_record.MAX_EVENTS // 10):
            server.revoke(audit_id=f"new{batch}-{number}")
        site.feeds.append(make_feed(server, store=open_store()))
        late += 1
        site.run(15)
    site.run(30)
    assert {len(feed) for feed in site.feeds} == {len(server.events)}
    # One an interval, and one of each that came late, for what is no longer shared.
    assert len(server.asked) - asked <= 15 + late


@pytest.mark.heavy
def test_a_process_that_slept_through_many_polls_catches_up_and_asks_once_itself(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    sleeper = make_feed(server, store=open_store())
    sleeper.poll(server.clock.now)
    site = make_site(server, 2, open_store)
    for number in range(20):
        server.revoke(user_id=f"u{number}")
        site.run(600, step=1)
    site.run(5)
    asked = len(server.asked)

    sleeper.poll(server.clock.now)

    assert len(sleeper) == 20
    assert len(server.asked) == asked + 1


def test_a_lease_holder_that_dies_costs_one_lease(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    store = open_store()
    site = make_site(server, 3, open_store)
    site.run(9)
    asked = len(server.asked)
    site.clock.advance(1)
    take_lease(store, server.clock.now)  # and die before asking
    server.revoke(user_id="u1")

    site.run(9.5)
    assert len(server.asked) == asked
    site.run(2)
    assert len(server.asked) == asked + 1
    assert {len(feed) for feed in site.feeds} == {1}


def test_the_first_poll_of_a_deployment_is_waited_for_but_not_for_long(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    take_lease(open_store(), server.clock.now)  # and die before asking
    feed = make_feed(server, store=open_store())
    began_at = time.monotonic()
    feed.reload(server.clock.now)
    assert not feed.is_stale(server.clock.now)
    assert 1.5 < time.monotonic() - began_at < 10


@pytest.mark.parametrize("has_old_record", [False, True])
def test_the_first_request_gets_the_events_of_a_process_that_is_polling_just_now(
    server: EventServer,
    open_store: Callable[[], SharedStore],
    has_old_record: bool,  # noqa: FBT001
) -> None:
    store = open_store()
    if has_old_record:
        make_feed(server, store=open_store()).poll(server.clock.now)
        server.clock.advance(3600)
    server.asked.clear()
    server.revoke(user_id="u1")
    take_lease(store, server.clock.now)
    # The other process publishes what it read.
    other = make_feed(server, store=open_store())
    asked = threading.Timer(0.2, other.poll, [server.clock.now + 60])
    asked.start()
    feed = make_feed(server, store=open_store())
    feed.reload(server.clock.now)
    asked.join()
    assert (len(feed), feed.is_stale(server.clock.now)) == (1, False)
    assert len(server.asked) == 1


def test_a_lease_that_is_stuck_keeps_nobody_from_the_events(
    server: EventServer, lossy: LossyStore
) -> None:
    site = make_site(server, 3, lambda: lossy)
    site.run(5)
    lossy.is_lease_stuck = True
    for number in range(10):
        server.revoke(user_id=f"u{number}")
        site.run(35)
        assert {len(feed) for feed in site.feeds} == {number + 1}
    lossy.is_lease_stuck = False
    for number in range(10, 14):
        server.revoke(user_id=f"u{number}")
        site.run(12)
        assert {len(feed) for feed in site.feeds} == {number + 1}


def test_without_a_working_store_each_process_asks_by_itself(
    server: EventServer, lossy: LossyStore, caplog: pytest.LogCaptureFixture
) -> None:
    lossy.fault = CacheError("connection refused")
    with caplog.at_level(logging.WARNING):
        site = make_site(server, 2, lambda: lossy)
        server.revoke(user_id="u1")
        site.run(39)
    assert {len(feed) for feed in site.feeds} == {1}
    assert len(server.asked) == 8
    # Each of the two says so, and only once.
    expected = (
        "revocation events are not shared between processes (connection refused): "
        "each polls the identity service"
    )
    assert caplog.messages == [expected] * 2


def test_where_the_events_don_t_fit_into_the_store_each_process_asks_by_itself_in_time(
    server: EventServer, lossy: LossyStore, caplog: pytest.LogCaptureFixture
) -> None:
    lossy.most_bytes = 500
    for number in range(50):
        server.revoke(user_id=f"u{number}")
    server.clock.advance(100)
    site = make_site(server, 5, lambda: lossy)
    site.run(25)
    for number in range(50, 55):
        lossy.most_bytes = 500 if number < 53 else 10**6
        server.revoke(user_id=f"u{number}")
        site.run(11)
        assert {len(feed) for feed in site.feeds} == {number + 1}
    assert "too many bytes" in caplog.text
    asked = len(server.asked)
    site.run(50)
    assert len(server.asked) - asked <= 6


def test_a_store_that_was_emptied_is_filled_again(
    server: EventServer, tmp_path: Path, open_store: Callable[[], SharedStore]
) -> None:
    for number in range(shared_record.MAX_EVENTS - 5):
        server.revoke(audit_id=f"a{number}")
    server.clock.advance(100)
    site = make_site(server, 2, open_store)
    site.run(15)
    for file in (tmp_path / "feed").iterdir():
        file.unlink()
    site.run(18)
    asked = len(server.asked)

    late = make_feed(server, store=open_store())
    late.poll(server.clock.now)

    assert knows(late) == knows(site.feeds[0])
    assert len(server.asked) == asked


def test_a_process_that_can_t_read_the_record_asks_by_itself_and_follows_again(
    server: EventServer, lossy: LossyStore, open_store: Callable[[], SharedStore]
) -> None:
    server.revoke(user_id="u0")
    site = make_site(server, 2, open_store)
    site.run(15)
    lossy.is_lost = True
    site.feeds.append(make_feed(server, store=lossy))
    site.run(15)
    assert {len(feed) for feed in site.feeds} == {1}

    lossy.is_lost = False
    site.run(15)
    asked = len(server.asked)
    server.revoke(user_id="u1")
    site.run(100)
    assert {len(feed) for feed in site.feeds} == {2}
    assert len(server.asked) - asked <= 10


def test_answers_without_a_date_keep_nobody_from_asking(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    site = make_site(server, 3, open_store)
    site.run(15)
    server.has_date = False
    for number in range(3):
        server.revoke(user_id=f"u{number}")
        site.run(11)
        assert {len(feed) for feed in site.feeds} == {number + 1}


def test_records_of_two_that_published_at_once_leave_nobody_behind(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    store = open_store()
    site = make_site(server, 2, open_store)
    site.run(5)
    earlier = store.read()
    assert earlier is not None
    server.revoke(user_id="u1")
    site.run(12)
    store.write(earlier)
    late = make_feed(server, store=open_store(), max_staleness=60)
    site.feeds.append(late)
    site.run(12)
    assert {len(feed) for feed in site.feeds} == {1}
    assert not late.is_stale(server.clock.now)


def test_records_that_are_no_records_are_as_good_as_none(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    store = open_store()
    server.revoke(user_id="u1")
    members = {"since": 0, "until": 1, "tried_at": 1, "answered_at": 1, "events": []}
    times = [10**400, 1e300, -1e300, -1, "now", None, True, float("nan")]
    odd: list[dict[str, object]] = [{name: value} for name in members for value in times]
    events: list[object] = [{}, [{}], [{"x": "y"}, 1], [{"user_id": 1.5}, 1]]
    odd += [{"events": [event]} for event in events]
    for garbage in (
        *(b"", b"{", b"[]", b'{"format":1}', b'{"format":3}', b"\xff", b'{"format":3,'),
        *(json.dumps({"format": 3, **members, **change}).encode() for change in odd),
    ):
        store.write(garbage)
        feed = make_feed(server, store=open_store())
        Site(server.clock, [feed]).run(15)
        assert len(feed) == 1


def test_an_old_record_put_back_hides_nothing(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    store = open_store()
    site = make_site(server, 2, open_store)
    site.run(5)
    old = store.read()
    assert old is not None
    for number in range(20):
        server.revoke(user_id=f"u{number}")
        site.run(13.3)
        assert {len(feed) for feed in site.feeds} == {number + 1}
        store.write(old)


@pytest.mark.heavy
@pytest.mark.parametrize("behind", [5.0, 60.0, 500.0])
def test_records_played_again_with_a_delay_keep_nobody_from_asking(
    server: EventServer, open_store: Callable[[], SharedStore], behind: float, tmp_path: Path
) -> None:
    """Whoever controls memcached shows a process what was true some time ago, and a lease."""
    honest = open_store()
    victim_store = FileStore(tmp_path / "shown", "site")
    site = make_site(server, 2, lambda: honest)
    site.run(1)
    shown: list[tuple[float, bytes]] = []
    victim: RevocationFeed | None = None
    for number in range(60):
        server.revoke(user_id=f"u{number}")
        made = len(server.events)
        for _ in range(24):
            site.run(0.5)
            record = honest.read()
            assert record is not None
            shown.append((server.clock.now, record))
            past = [old for at, old in shown if at <= server.clock.now - behind]
            if past:
                victim_store.write(past[-1])
                victim_store.try_lease(edition_of(past[-1]), 15, server.clock.now)
                victim = victim or make_feed(server, store=victim_store)
                victim.poll(server.clock.now)
        if victim is not None and number > behind / 12 + 4:
            # An interval, and the time that a lease is waited for.
            assert len(victim) >= made - 4


def test_a_process_does_not_follow_for_ever_without_an_answer_of_its_own(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    follower_server = EventServer(server.clock)
    site = make_site(server, 1, open_store)
    site.run(1)
    follower = make_feed(follower_server, store=open_store())
    site.feeds.append(follower)
    for _ in range(4):
        asked = len(follower_server.asked)
        site.run(320)
        assert len(follower_server.asked) > asked
    follower_server.fault = IdentityUnavailable("its host is cut off")
    site.run(300)
    assert not follower.is_stale(server.clock.now)
    site.run(650)
    assert follower.is_stale(server.clock.now)
    assert not site.feeds[0].is_stale(server.clock.now)


def test_a_failed_poll_is_one_for_all_and_so_is_the_news_of_it(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    site = make_site(server, 20, open_store, max_staleness=60)
    site.run(15)
    asked = len(server.asked)
    server.fault = IdentityUnavailable("down")
    site.run(100)
    assert len(server.asked) - asked <= 10
    assert all(feed.is_stale(server.clock.now) for feed in site.feeds)

    server.fault = None
    site.run(13)
    assert not any(feed.is_stale(server.clock.now) for feed in site.feeds)


def test_a_user_that_may_not_read_events_asks_once_an_interval_for_all(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    server.fault = EventsForbidden("HTTP 403")
    site = make_site(server, 5, open_store)
    site.run(15)
    assert len(server.asked) == 2


@pytest.mark.parametrize("ahead", [-7200.0, -3.0, 3.0, 7200.0])
def test_hosts_whose_clocks_differ_share_all_the_same(
    server: EventServer, open_store: Callable[[], SharedStore], ahead: float
) -> None:
    feeds = [make_feed(server, store=open_store()) for _ in range(2)]
    for number in range(30):
        server.revoke(user_id=f"u{number}")
        for _ in range(12):
            for feed, difference in zip(feeds, (0.0, ahead), strict=True):
                feed.poll(server.clock.now + difference)
            server.clock.advance(1)
        assert {len(feed) for feed in feeds} == {number + 1}
        assert not feeds[0].is_stale(server.clock.now)
        assert not feeds[1].is_stale(server.clock.now + ahead)


def test_what_a_host_from_the_future_said_does_not_stay_fresh(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    ahead, feed = (make_feed(server, store=open_store()) for _ in range(2))
    ahead.poll(server.clock.now + 7200)
    server.fault = IdentityUnavailable("down")
    feed.poll(server.clock.now)
    for _ in range(63):
        server.clock.advance(10)
        ahead.poll(server.clock.now + 7200)
        feed.poll(server.clock.now)
    assert feed.is_stale(server.clock.now)


def test_a_server_set_back_hides_nothing_from_those_who_share(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    server.ahead = 3600
    site = make_site(server, 3, open_store)
    for number in range(10):
        if number == 4:
            server.ahead = 0
        server.revoke(user_id=f"u{number}")
        site.run(23)
    assert {len(feed) for feed in site.feeds} == {10}


def test_dropped_events_are_dropped_by_those_who_start_later_too(
    server: EventServer, open_store: Callable[[], SharedStore]
) -> None:
    for number in range(30):
        server.revoke(user_id=f"u{number}")
        server.clock.advance(1)
    first = make_feed(server, store=open_store(), max_events=10)
    first.poll(server.clock.now)
    late = make_feed(server, store=open_store(), max_events=10)
    late.poll(server.clock.now)
    assert len(server.asked) == 1
    assert knows(late) == knows(first)
    assert late.complete_from == first.complete_from > 0


@pytest.mark.parametrize("noise", [0, shared_record.MAX_EVENTS + 100])
@pytest.mark.parametrize("bounds", [{"retention": 3600}, {"max_events": 5}])
def test_no_process_takes_the_gaps_of_another_with_lower_bounds_for_completeness(
    server: EventServer,
    open_store: Callable[[], SharedStore],
    bounds: dict[str, int],
    noise: int,
) -> None:
    server.revoke(audit_id="stolen")
    server.clock.advance(7200)
    for number in range(max(noise, 20)):
        server.revoke(audit_id=f"noise{number}")
    server.clock.advance(100)
    lower = make_feed(server, store=open_store(), **bounds)
    lower.poll(server.clock.now)
    higher = make_feed(server, store=open_store())
    higher.poll(server.clock.now)
    assert len(lower) < len(higher) == len(server.events)
    assert (higher.complete_from, lower.complete_from > 0) == (0, True)
    # Both follow each other from then on.
    site = Site(server.clock, [lower, higher])
    site.run(15)
    asked = len(server.asked)
    server.revoke(user_id="u1")
    site.run(60)
    assert len(higher) == len(server.events)
    assert len(server.asked) - asked <= 6

"""The index decides as the literal rule does, and keeps events for the retention time."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.revocation.attributes import ATTRIBUTES
from authmw.revocation.events import RevocationEvent, parse_event
from authmw.revocation.facts import facts_of
from authmw.revocation.index import EventIndex
from tests.support.literal_revocation import Json, is_covering, iso
from tests.support.revocation_tokens import event_of, make_token, token_of
from tests.support.token_bodies import ISSUED_AT

RETENTION = 10_000


def make_index(max_events: int = 1000) -> EventIndex:
    return EventIndex(max_events=max_events, retention_seconds=RETENTION)


# Few values, the same for ids of every kind, so that everything meets something often.
ids = st.sampled_from(["a", "b", "c"])
times = st.integers(0, 3).map(lambda offset: ISSUED_AT + offset)
events_json = st.fixed_dictionaries(
    {"issued_before": times.map(iso)},
    optional={
        **dict.fromkeys([each.name for each in ATTRIBUTES], ids),
        "expires_at": times.map(lambda time: iso(time, fraction=False)),
    },
)
# Some tokens don't tell the ids of their roles, or of their user's domain.
roles = st.lists(st.fixed_dictionaries({"name": ids}, optional={"id": ids}), max_size=3)
named = st.fixed_dictionaries({"id": ids})
perhaps_named = st.fixed_dictionaries({}, optional={"id": ids})
scopes: st.SearchStrategy[Json] = st.one_of(
    st.fixed_dictionaries({"project": st.fixed_dictionaries({"id": ids, "domain": named})}),
    st.fixed_dictionaries({"domain": named}),
    st.just({"system": {"all": True}}),
    st.just({}),
)


@st.composite
def bodies(draw: st.DrawFn) -> Json:
    body: Json = {
        "methods": ["password"],
        "user": {"id": draw(ids), "domain": draw(perhaps_named)},
        "audit_ids": draw(st.lists(ids, max_size=3)),
        "issued_at": iso(draw(times) + draw(st.sampled_from([0.0, 0.5]))),
        "expires_at": iso(draw(times) + draw(st.sampled_from([0.0, 0.5]))),
        "roles": draw(roles),
        **draw(scopes),
    }
    if draw(st.booleans()):
        body["OS-TRUST:trust"] = {
            "id": draw(ids),
            "trustor_user": {"id": draw(ids)},
            "trustee_user": {"id": draw(ids)},
            "impersonation": draw(st.booleans()),
        }
    if draw(st.booleans()):
        body["OS-OAUTH1"] = {"consumer_id": draw(ids), "access_token_id": draw(ids)}
    return body


BATCHES = st.lists(st.lists(events_json, max_size=6), max_size=3)
TOKENS = st.lists(bodies(), min_size=1)


@pytest.mark.heavy
@settings(max_examples=300, deadline=None)
@given(BATCHES, TOKENS)
def test_the_index_says_what_the_literal_rule_says(
    batches: list[list[Json]], tokens: list[Json]
) -> None:
    compare_with_the_literal_rule(batches, tokens)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(BATCHES, TOKENS)
def test_the_index_says_what_the_literal_rule_says_for_many_more(
    batches: list[list[Json]], tokens: list[Json]
) -> None:
    compare_with_the_literal_rule(batches, tokens)


def compare_with_the_literal_rule(batches: list[list[Json]], tokens: list[Json]) -> None:
    index = make_index()
    for batch in batches:
        index.add([parse_event(event, 0) for event in batch], ISSUED_AT)

    for body in tokens:
        found = index.find_attributes(facts_of(make_token(body)))
        covering = [event for batch in batches for event in batch if is_covering(event, body)]
        assert (found is not None) == bool(covering)
        if found is not None:
            assert set(found) in [set(event) - {"issued_before"} for event in covering]


@pytest.mark.heavy
@settings(max_examples=200, deadline=None)
@given(st.lists(events_json, max_size=20))
def test_what_the_index_gives_out_is_what_it_knows(batch: list[Json]) -> None:
    events = [parse_event(event, 0) for event in batch]
    index = make_index()
    index.add(events, ISSUED_AT)

    latest: dict[Any, int] = {}
    for event in events:
        latest[event.attributes] = max(latest.get(event.attributes, 0), event.issued_before)
    assert {event.attributes: event.issued_before for event in index} == latest
    assert len(index) == len(latest)


def test_generation_moves_on_only_with_news() -> None:
    index = make_index()
    event = event_of(user_id="u1")

    assert (index.add([event], ISSUED_AT), index.generation) == ([event], 1)
    assert (index.add([event], ISSUED_AT), index.generation) == ([], 1)
    assert (index.add([], ISSUED_AT), index.generation) == ([], 1)

    earlier = event_of(user_id="u1", issued_before=ISSUED_AT - 1)
    assert (index.add([earlier], ISSUED_AT), index.generation) == ([], 1)
    later = event_of(user_id="u1", issued_before=ISSUED_AT + 1)
    assert (index.add([later, event], ISSUED_AT), index.generation) == ([later], 2)
    assert len(index) == 1


def test_an_event_is_kept_for_retention_and_dropped_after_it() -> None:
    index = make_index()
    index.add([event_of(user_id="u1")], ISSUED_AT)

    index.add([], ISSUED_AT + RETENTION)
    assert index.find_attributes(facts_of(token_of())) == ("user_id",)
    assert (index.generation, index.complete_from) == (1, 0)

    index.add([], ISSUED_AT + RETENTION + 600)
    assert index.find_attributes(facts_of(token_of())) is None
    assert (len(index), list(index)) == (0, [])


def test_a_token_that_a_dropped_event_may_cover_can_t_be_decided_and_is_looked_at_again() -> None:
    index = make_index()
    index.add([event_of(user_id="u1"), event_of(user_id="u2", issued_before=ISSUED_AT - 50)], 0)
    index.add([], ISSUED_AT + RETENTION + 600)
    assert (index.complete_from, index.generation) == (ISSUED_AT + 1, 2)
    # Time that passes without an event that is dropped changes nothing.
    index.add([], ISSUED_AT + 10 * RETENTION)
    assert (index.complete_from, index.generation) == (ISSUED_AT + 1, 2)


@pytest.mark.parametrize("moments", [RETENTION, 2 * RETENTION])
def test_no_token_younger_than_retention_is_affected_by_what_is_dropped(moments: int) -> None:
    index = make_index()
    for moment in range(0, moments + 1, 500):
        index.add([event_of(audit_id=str(moment), issued_before=ISSUED_AT + moment)], 0)
        index.add([], ISSUED_AT + moment)
        assert index.complete_from <= ISSUED_AT + moment - RETENTION + 1


def test_an_event_past_retention_is_not_taken_in() -> None:
    index = make_index()
    assert index.add([event_of(user_id="u1")], ISSUED_AT + RETENTION + 1) == []
    assert (len(index), index.complete_from, index.generation) == (0, ISSUED_AT + 1, 1)


def test_an_event_made_again_is_kept_from_its_last_time() -> None:
    index = make_index()
    index.add([event_of(user_id="u1")], ISSUED_AT)
    index.add([event_of(user_id="u1", issued_before=ISSUED_AT + 5000)], ISSUED_AT)

    index.add([], ISSUED_AT + RETENTION + 600)
    assert len(index) == 1
    index.add([], ISSUED_AT + 5000 + RETENTION + 600)
    assert len(index) == 0


def test_the_expiry_in_an_event_prolongs_its_retention_and_never_ends_the_revocation() -> None:
    # CVE-2013-2104: what was revoked came back at its expiry.
    index = make_index()
    expires_at = iso(ISSUED_AT + 3600, fraction=False)
    index.add([event_of(expires_at=expires_at, user_id="u1")], ISSUED_AT)

    index.add([], ISSUED_AT + 3600 + RETENTION)
    assert index.find_attributes(facts_of(token_of())) == ("user_id", "expires_at")
    index.add([], ISSUED_AT + 3600 + RETENTION + 600)
    assert len(index) == 0


def test_with_too_many_events_the_oldest_are_dropped_and_it_is_known_up_to_when() -> None:
    index = make_index(max_events=3)
    events = [event_of(audit_id=str(n), issued_before=ISSUED_AT + 1000 * n) for n in range(5)]

    index.add(events, ISSUED_AT + 4000)

    assert sorted(event.issued_before - ISSUED_AT for event in index) == [2000, 3000, 4000]
    assert index.complete_from == index.overflow_until == ISSUED_AT + 1001


def test_what_was_dropped_and_comes_again_is_no_news() -> None:
    index = make_index(max_events=3)
    events = [event_of(audit_id=str(n), issued_before=ISSUED_AT + 1000 * n) for n in range(5)]
    index.add(events, ISSUED_AT + 4000)

    assert index.add(events, ISSUED_AT + 4000) == []
    assert index.generation == 1


def test_what_was_dropped_stays_unknown() -> None:
    index = make_index(max_events=1)
    index.add([event_of(audit_id="1"), event_of(audit_id="2")], ISSUED_AT)
    index.add([], ISSUED_AT + 3 * RETENTION)
    assert index.complete_from == index.overflow_until == ISSUED_AT + 1


@pytest.mark.parametrize("seconds", [600, 7200])
def test_news_about_the_same_attributes_takes_no_more_room(seconds: int) -> None:
    index = EventIndex(max_events=100, retention_seconds=RETENTION)
    for second in range(seconds):
        events = [event_of(user_id=str(n), issued_before=ISSUED_AT + second) for n in range(10)]
        index.add(events, ISSUED_AT + second)
    queued = [queue for queues in index._epochs.values() for queue in queues.values()]
    assert sum(map(len, queued)) == index._queued <= 1200
    assert len(index) == 10
    # And what is left is dropped in time.
    index.add([], ISSUED_AT + seconds + RETENTION + 600)
    assert (len(index), index._queued, index._epochs) == (0, 0, {})


def test_readers_find_every_event_that_was_added_while_others_come_and_go() -> None:
    index = make_index(max_events=500)
    tokens = [facts_of(token_of(audit_ids=[str(n)])) for n in range(3000)]
    added = 0
    faults: list[object] = []
    done = threading.Event()

    def is_missed() -> bool:
        last = added
        is_found = last == 0 or index.find_attributes(tokens[last - 1]) is not None
        # It may be missing only if the writer has moved on so far that it was dropped.
        return not is_found and added < last + 400

    def read() -> None:
        try:
            while not done.is_set():
                if is_missed():
                    faults.append(added)
                    return
        except RuntimeError as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for n in range(3000):
            names = ["audit_id", "audit_chain_id"][: 1 + n % 2]
            event = RevocationEvent(tuple((name, str(n)) for name in names), ISSUED_AT + n)
            index.add([event], ISSUED_AT + n)
            added = n + 1
    finally:
        done.set()
        for reader in readers:
            reader.join(30)
    assert faults == []


def test_of_one_attribute_set_the_oldest_goes_first() -> None:
    index = make_index(max_events=2)
    for n in range(4):
        index.add([event_of(audit_id=str(n), issued_before=ISSUED_AT + n)], ISSUED_AT + n)
    index.add([event_of(user_id="u", issued_before=ISSUED_AT + 4)], ISSUED_AT + 4)
    assert [event.issued_before - ISSUED_AT for event in index] == [3, 4]
    assert index.complete_from == ISSUED_AT + 3


# Published history: revocation that missed tokens.


def test_a_domain_s_event_covers_tokens_scoped_to_it_and_of_its_users() -> None:
    # CVE-2014-5253: tokens scoped to a domain stayed good when it was disabled.
    index = make_index()
    index.add([event_of(domain_id="d2")], ISSUED_AT)
    assert index.find_attributes(facts_of(token_of("domain"))) == ("domain_id",)
    index.add([event_of(domain_id="d1")], ISSUED_AT)
    for scope in ("project", "domain", "system", "unscoped"):
        assert index.find_attributes(facts_of(token_of(scope))) == ("domain_id",)


def test_a_token_exchanged_for_a_revoked_one_s_is_covered_through_the_chain() -> None:
    # CVE-2014-5252: a new token got its time anew, and an event about the first one missed it.
    index = make_index()
    index.add([event_of(audit_chain_id="first", issued_before=ISSUED_AT + 60)], ISSUED_AT)
    exchanged = token_of(audit_ids=["second", "first"], issued_at=iso(ISSUED_AT + 30.7))
    assert index.find_attributes(facts_of(exchanged)) == ("audit_chain_id",)


@pytest.mark.parametrize("fraction", [0.0, 0.000001, 0.5, 0.999999])
def test_a_fraction_of_a_second_does_not_save_a_token(fraction: float) -> None:
    # CVE-2014-5251: stored times had whole seconds, compared ones had not.
    index = make_index()
    token = token_of(
        issued_at=iso(ISSUED_AT + fraction), expires_at=iso(ISSUED_AT + 3600 + fraction)
    )
    index.add([event_of(user_id="u1", expires_at=iso(ISSUED_AT + 3600))], ISSUED_AT)
    assert index.find_attributes(facts_of(token)) == ("user_id", "expires_at")


def test_what_is_revoked_is_what_the_token_says_and_not_how_it_is_written() -> None:
    # CVE-2015-7546: the same token in other bytes passed. An event meets the audit id, and
    # whatever else Keystone put around it makes no difference.
    index = make_index()
    index.add([event_of(audit_id="audit-1")], ISSUED_AT)
    others: list[Json] = [{}, {"extra": "x"}, {"methods": ["password", "token"]}, {"roles": []}]
    for members in others:
        assert index.find_attributes(facts_of(token_of(**members))) == ("audit_id",)

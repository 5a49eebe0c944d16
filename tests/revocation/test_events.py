"""Parsing events: what can't be parsed makes an event cover more tokens, never fewer."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.errors import MalformedEvents
from authmw.revocation.events import RevocationEvent, parse_event, parse_events
from tests.support.literal_revocation import iso
from tests.support.token_bodies import ISSUED_AT

ANSWERED_AT = ISSUED_AT + 50
TIMES = {"issued_before": iso(ISSUED_AT), "revoked_at": iso(ISSUED_AT)}


def test_an_answer_of_keystone_is_read() -> None:
    document = {
        "events": [
            {"audit_id": "a", "issued_before": "2023-11-14T22:13:20.000000Z"},
            {"project_id": "p", "user_id": "u", "expires_at": "2023-11-14T22:13:21Z", **TIMES},
        ],
        "links": {"next": None, "self": "http://id.example/v3/OS-REVOKE/events"},
    }
    assert parse_events(document, ANSWERED_AT) == [
        RevocationEvent((("audit_id", "a"),), ISSUED_AT),
        RevocationEvent(
            (("user_id", "u"), ("project_id", "p"), ("expires_at", ISSUED_AT + 1)), ISSUED_AT
        ),
    ]


def test_an_empty_list_is_an_answer() -> None:
    assert parse_events({"events": []}, ANSWERED_AT) == []


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "an object was expected, not list"),
        ({}, "'events' is not an array but NoneType"),
        ({"events": {}}, "'events' is not an array but dict"),
        ({"events": ["x"]}, "an event is not an object but str"),
        (
            {"events": [], "links": {"next": "http://id.example/2"}},
            "'links' names a next page: the list is not complete",
        ),
    ],
)
def test_an_answer_that_is_no_whole_list_is_refused_as_a_whole(
    document: object, message: str
) -> None:
    with pytest.raises(MalformedEvents) as refusal:
        parse_events(document, ANSWERED_AT)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("event", "attributes", "issued_before", "ignored"),
    [
        ({"user_id": "u", "shoe_size": 43, **TIMES}, ["user_id"], 0, ["shoe_size"]),
        ({"user_id": 5, "project_id": "p", **TIMES}, ["project_id"], 0, ["user_id"]),
        ({"user_id": "", **TIMES}, [], 0, ["user_id"]),
        ({"user_id": None, "role_id": "r", **TIMES}, ["role_id"], 0, []),
        ({"user_id": "u", "expires_at": "soon", **TIMES}, ["user_id"], 0, ["expires_at"]),
        ({"user_id": "u", "expires_at": 17, **TIMES}, ["user_id"], 0, ["expires_at"]),
        (TIMES, [], 0, []),
        ({"user_id": "u", "revoked_at": iso(ISSUED_AT + 2)}, ["user_id"], 2, ["issued_before"]),
        (
            {"user_id": "u", "issued_before": "now", "revoked_at": iso(ISSUED_AT + 2)},
            ["user_id"],
            2,
            ["issued_before"],
        ),
        ({"user_id": "u"}, ["user_id"], 50, ["issued_before"]),
        (
            {"user_id": "u", "issued_before": {}, "revoked_at": "0000"},
            ["user_id"],
            50,
            ["issued_before"],
        ),
    ],
)
def test_what_is_not_understood_is_ignored_so_the_event_covers_more(
    event: dict[str, Any], attributes: list[str], issued_before: int, ignored: list[str]
) -> None:
    parsed = parse_event(event, ANSWERED_AT)
    assert list(parsed.names) == attributes
    assert parsed.issued_before == ISSUED_AT + issued_before
    assert list(parsed.ignored) == ignored


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14T22:13:20.000000Z",
        "2023-11-14T22:13:20.999999Z",
        "2023-11-14T22:13:20",
        "2023-11-14T23:13:20+01:00",
    ],
)
def test_times_are_read_as_utc_and_truncated(text: str) -> None:
    assert parse_event({"issued_before": text}, 0).issued_before == ISSUED_AT

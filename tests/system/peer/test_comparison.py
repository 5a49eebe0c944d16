"""The comparison finds the differences that it is for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authmw.token.catalog import ServiceCatalog
from tests.system.peer.comparison import ABSENT, Difference, compare, find_unsound, read_verdict
from tests.system.peer.sides import Outcome

SEEN: dict[str, Any] = {
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_ROLES": "member",
    "HTTP_X_SERVICE_CATALOG": '[{"type": "inventory"}]',
    "keystone.token_info": {"token": {"user": {"id": "u"}, "roles": [{"id": "r"}]}},
    "wsgi.input": object(),
}


def passed(**changes: Any) -> Outcome:
    return Outcome("200 OK", [("Content-Type", "text/plain")], b"hello", {**SEEN, **changes})


def refused(**changes: Any) -> Outcome:
    answer: dict[str, Any] = {
        "status": "401 Unauthorized",
        "headers": [("Content-Type", "application/json"), ("WWW-Authenticate", "Keystone")],
        "body": b'{"error": {"code": 401}}',
        "environ": None,
    }
    return Outcome(**{**answer, **changes})


@pytest.mark.parametrize("outcome", [passed(), refused()], ids=["passed", "refused"])
def test_an_outcome_does_not_differ_from_itself(outcome: Outcome) -> None:
    assert compare(outcome, outcome) == []


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (passed(HTTP_X_ROLES="admin"), Difference("environ HTTP_X_ROLES", "admin", "member")),
        (passed(HTTP_X_ROLES=None), Difference("environ HTTP_X_ROLES", None, "member")),
        (passed(HTTP_X_USER="u"), Difference("environ HTTP_X_USER", "u", ABSENT)),
        (passed(REMOTE_USER="u"), Difference("environ REMOTE_USER", "u", ABSENT)),
        (
            passed(HTTP_X_SERVICE_CATALOG="[]"),
            Difference("environ HTTP_X_SERVICE_CATALOG", [], [{"type": "inventory"}]),
        ),
        (
            passed(**{"keystone.token_info": {"token": {"user": {"id": "v"}, "roles": []}}}),
            Difference("environ keystone.token_info token roles", [], [{"id": "r"}]),
        ),
        (passed(HTTP_X_IDENTITY_STATUS="Invalid"), Difference("verdict", "Invalid", "Confirmed")),
        (refused(), Difference("verdict", "401", "Confirmed")),
        (refused(raised="KeyError"), Difference("verdict", "401", "Confirmed")),
    ],
    ids=lambda value: value.fact if isinstance(value, Difference) else "",
)
def test_whatever_the_service_saw_otherwise_is_a_difference(
    ours: Outcome, expected: Difference
) -> None:
    assert expected in compare(ours, passed())


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"status": "401 No"}, "status"),
        ({"body": b'{"error": {}}'}, "body"),
        ({"headers": [("Content-Type", "application/json")]}, "header www-authenticate"),
    ],
    ids=["status", "body", "header"],
)
def test_whatever_the_client_gets_otherwise_is_a_difference(
    changes: dict[str, Any], fact: str
) -> None:
    assert [found.fact for found in compare(refused(**changes), refused())] == [fact]


def test_json_written_otherwise_is_the_same() -> None:
    assert compare(passed(HTTP_X_SERVICE_CATALOG='[{"type":"inventory"}]'), passed()) == []
    assert compare(refused(body=b'{"error":{"code":401}}'), refused()) == []


def test_a_catalog_that_is_read_only_is_compared_as_what_it_says() -> None:
    services = [{"type": "inventory", "endpoints": []}]
    ours = passed(x=ServiceCatalog.from_json(json.dumps(services).encode()).services)

    assert compare(ours, passed(x=services)) == []
    assert [found.fact for found in compare(ours, passed(x=[]))] == ["environ x"]


def test_what_is_forged_or_no_text_is_unsound_whatever_the_peer_does() -> None:
    assert find_unsound(passed(), "forged") == []
    assert find_unsound(refused(), "forged") == []
    assert find_unsound(passed(HTTP_X_ROLE="forged", HTTP_X_USER=None), "forged") == [
        "HTTP_X_ROLE = 'forged'",
        "HTTP_X_USER = None",
    ]


def test_a_verdict_tells_what_a_service_knows() -> None:
    both = passed(HTTP_X_SERVICE_IDENTITY_STATUS="Invalid")
    assert read_verdict(both) == "Confirmed and service Invalid"
    assert read_verdict(passed()) == "Confirmed"
    assert read_verdict(refused()) == "401"

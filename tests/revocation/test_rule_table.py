"""Each row of the rule table: which values of a token match an attribute."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.revocation.attributes import ATTRIBUTES
from authmw.revocation.facts import facts_of
from authmw.revocation.index import EventIndex
from tests.support.literal_revocation import is_covering, iso
from tests.support.revocation_tokens import OAUTH1, TRUST, event_of, render_event, token_of
from tests.support.token_bodies import EXPIRES_AT, ISSUED_AT, make_body

WITH_TRUST: dict[str, Any] = {"OS-TRUST:trust": TRUST}
WITH_OAUTH1: dict[str, Any] = {"OS-OAUTH1": OAUTH1}
NO_ID_ROLE: dict[str, Any] = {"roles": [{"id": "r1", "name": "member"}, {"name": "nameless"}]}
NO_ID_DOMAIN: dict[str, Any] = {"user": {"id": "u1", "domain": {"name": "Default"}}}

# attribute, value in the event, scope of the token, other members of its body, is revoked
ROWS: list[tuple[str, str, str, dict[str, Any], bool]] = [
    ("user_id", "u1", "project", {}, True),
    ("user_id", "u2", "project", {}, False),
    ("user_id", "trustor", "project", WITH_TRUST, True),
    ("user_id", "trustee", "project", WITH_TRUST, True),
    ("user_id", "u1", "project", WITH_TRUST, True),
    ("user_id", "trustor", "project", {}, False),
    ("project_id", "p1", "project", {}, True),
    ("project_id", "p2", "project", {}, False),
    ("project_id", "p1", "domain", {}, False),
    ("project_id", "p1", "unscoped", {}, False),
    ("domain_id", "d1", "project", {}, True),  # the user's
    ("domain_id", "d1", "unscoped", {}, True),
    ("domain_id", "d2", "domain", {}, True),  # the scope's
    ("domain_id", "d2", "project", {}, False),  # the project's
    ("domain_id", "d2", "system", {}, False),
    ("domain_scope_id", "d2", "domain", {}, True),
    ("domain_scope_id", "d1", "domain", {}, False),  # the user's
    ("domain_scope_id", "d2", "project", {}, False),
    ("audit_id", "audit-1", "project", {}, True),
    ("audit_id", "chain-1", "project", {}, False),
    ("audit_id", "only", "project", {"audit_ids": ["only"]}, True),
    ("audit_id", "any", "project", {"audit_ids": []}, True),
    ("audit_chain_id", "any", "project", {"audit_ids": []}, True),
    ("audit_chain_id", "chain-1", "project", {}, True),
    ("audit_chain_id", "audit-1", "project", {}, False),
    ("audit_chain_id", "only", "project", {"audit_ids": ["only"]}, True),
    ("audit_chain_id", "third", "project", {"audit_ids": ["first", "second", "third"]}, True),
    ("role_id", "r1", "project", {}, True),
    ("role_id", "r2", "project", {}, True),
    ("role_id", "member", "project", {}, False),  # a name
    ("role_id", "r3", "project", {}, False),
    ("role_id", "r3", "system", {}, True),
    ("role_id", "r1", "unscoped", {}, False),
    ("role_id", "any", "project", NO_ID_ROLE, True),  # its id may be this one
    ("user_id", "any", "project", NO_ID_ROLE, False),
    ("domain_id", "any", "project", NO_ID_DOMAIN, True),
    ("domain_id", "any", "domain", NO_ID_DOMAIN, True),
    ("domain_scope_id", "any", "domain", NO_ID_DOMAIN, False),
    ("OS-TRUST:trust_id", "t1", "project", WITH_TRUST, True),
    ("OS-TRUST:trust_id", "t2", "project", WITH_TRUST, False),
    ("OS-TRUST:trust_id", "t1", "project", {}, False),
    ("OS-OAUTH1:consumer_id", "c1", "project", WITH_OAUTH1, True),
    ("OS-OAUTH1:consumer_id", "c2", "project", WITH_OAUTH1, False),
    ("OS-OAUTH1:consumer_id", "c1", "project", {}, False),
    ("OS-OAUTH1:access_token_id", "a1", "project", WITH_OAUTH1, True),
    ("OS-OAUTH1:access_token_id", "c1", "project", WITH_OAUTH1, False),
    ("OS-OAUTH1:access_token_id", "a1", "project", {}, False),
    ("expires_at", iso(EXPIRES_AT, fraction=False), "project", {}, True),
    ("expires_at", iso(EXPIRES_AT + 1, fraction=False), "project", {}, False),
    (
        "expires_at",
        iso(EXPIRES_AT, fraction=False),
        "project",
        {"expires_at": iso(EXPIRES_AT + 0.9)},
        True,  # in whole seconds
    ),
]


def is_revoked(event: dict[str, Any], scope: str, members: dict[str, Any]) -> bool:
    index = EventIndex(max_events=10, retention_seconds=1)
    index.add([event_of(**event)], ISSUED_AT)
    return index.find_attributes(facts_of(token_of(scope, **members))) is not None


@pytest.mark.parametrize(("name", "value", "scope", "members", "expected"), ROWS)
def test_an_attribute_is_met_by_what_its_row_says(
    name: str, value: str, scope: str, members: dict[str, Any], *, expected: bool
) -> None:
    assert is_revoked({name: value}, scope, members) is expected


def test_every_row_of_the_table_is_tried_both_ways() -> None:
    names = {attribute.name for attribute in ATTRIBUTES}
    assert {row[0] for row in ROWS if row[4]} == names
    assert {row[0] for row in ROWS if not row[4]} == names


@pytest.mark.parametrize(("name", "value", "scope", "members", "expected"), ROWS)
def test_the_literal_rule_that_other_tests_compare_with_says_the_same(
    name: str, value: str, scope: str, members: dict[str, Any], *, expected: bool
) -> None:
    event: dict[str, Any] = {name: value}
    assert is_covering(render_event(**event), make_body(scope, **members)) is expected


def test_an_event_is_a_conjunction_of_its_attributes() -> None:
    assert is_revoked({"user_id": "u1", "project_id": "p1"}, "project", {})
    assert not is_revoked({"user_id": "u1", "project_id": "p2"}, "project", {})
    assert not is_revoked({"user_id": "u2", "project_id": "p1"}, "project", {})
    assert is_revoked({"user_id": "trustee", "role_id": "r2"}, "project", WITH_TRUST)


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_id_is_an_unknown_one(empty: str | None) -> None:
    nameless: dict[str, Any] = {"roles": [{"id": empty, "name": "member"}]}
    assert is_revoked({"role_id": "r1"}, "project", nameless)
    homeless: dict[str, Any] = {"user": {"id": "u1", "domain": {"id": empty, "name": "d"}}}
    assert is_revoked({"domain_id": "d1"}, "project", homeless)


def test_an_unknown_id_meets_an_event_only_where_all_else_does() -> None:
    assert is_revoked({"user_id": "u1", "role_id": "any"}, "project", NO_ID_ROLE)
    assert not is_revoked({"user_id": "u2", "role_id": "any"}, "project", NO_ID_ROLE)


@pytest.mark.parametrize(
    ("issued_at", "issued_before", "expected"),
    [
        (ISSUED_AT, ISSUED_AT, True),
        (ISSUED_AT + 0.9, ISSUED_AT, True),
        (ISSUED_AT + 0.9, ISSUED_AT + 0.1, True),
        (ISSUED_AT + 1, ISSUED_AT, False),
        (ISSUED_AT + 1, ISSUED_AT + 0.999999, False),
        (ISSUED_AT, ISSUED_AT + 100, True),
    ],
)
def test_a_token_of_the_same_second_is_revoked_and_one_of_the_next_is_not(
    issued_at: float, issued_before: float, *, expected: bool
) -> None:
    event = {"user_id": "u1", "issued_before": issued_before}
    assert is_revoked(event, "project", {"issued_at": iso(issued_at)}) is expected

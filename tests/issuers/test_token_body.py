from __future__ import annotations

from typing import Any

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.token_body import make_token_body
from authmw.token import DomainScope, ProjectScope, SystemScope, Token, Unscoped
from authmw.token.headers import to_environ_key
from tests.support.issuers.shapes import ACME, ACME_CLAIMS, NOW, US, Claims, change, check

_NO_TEXTS: list[object] = ["", 0, 1, True, [], ["p1"], {}, {"id": "p1"}]
_NO_SYSTEMS: list[object] = ["", "some", "true", 1, 0, [], {}]
SCOPES = {"project_id": ["tenant"], "domain_id": ["dom"], "system_scope": ["sys"]}


def body_of(changes: Claims, claims: dict[str, list[str]] | None = None) -> dict[str, Any]:
    (issuer,) = make_issuers(
        IssuerOptions(name="acme", issuer=ACME, audience=[US], claims=claims or {})
    )
    token = check(issuer, change(ACME_CLAIMS, changes), typ="at+jwt")
    return make_token_body(token)


def read(body: dict[str, Any]) -> Token:
    return Token.from_body(body, None, answered_at=NOW, fresh_until=NOW, usable_until=NOW)


def reason_of(changes: Claims, claims: dict[str, list[str]] | None = None) -> Reason:
    with pytest.raises(InvalidToken) as refused:
        body_of(changes, claims)
    return refused.value.reason


def test_everything_that_can_be_mapped_is_read_back_from_the_token() -> None:
    names = {
        **{name: [name] for name in ("user_id", "user_name", "user_domain_id")},
        **{name: [name] for name in ("user_domain_name", "project_id", "project_name")},
        **{name: [name] for name in ("project_domain_id", "project_domain_name")},
        "roles": ["nested.roles"],
        "is_admin_project": ["admin"],
    }
    said = {name: f"the {name}" for name in names if name not in ("roles", "is_admin_project")}
    token = read(body_of({**said, "nested": {"roles": ["member"]}, "admin": True}, names))
    user = token.user
    assert (user.id, user.name) == ("the user_id", "the user_name")
    assert (user.domain_id, user.domain_name) == ("the user_domain_id", "the user_domain_name")
    assert token.scope == ProjectScope(
        "the project_id", "the project_name", "the project_domain_id", "the project_domain_name"
    )
    assert token.principal.role_names == {"member"}
    assert token.principal.is_admin_project is True
    assert token.audit_id == ACME_CLAIMS["jti"]


def test_what_is_not_mapped_is_absent_and_not_guessed() -> None:
    claims = {"project_id": "p1", "tenant": "p1", "name": "Ada", "email": "a@b", "system": "all"}
    token = read(body_of({**claims, "domain_id": "d1", "is_admin_project": True}))
    assert token.scope == Unscoped()
    assert token.user.name is None
    assert token.principal.is_admin_project is False
    environ = token.principal.user_environ
    for header in ("X-Project-Id", "X-Domain-Id", "X-User-Name", "OpenStack-System-Scope"):
        assert to_environ_key(header) not in environ


@pytest.mark.parametrize(
    ("changes", "scope"),
    [
        ({"tenant": "p1"}, ProjectScope("p1")),
        ({"dom": "d1"}, DomainScope("d1")),
        ({"sys": True}, SystemScope()),
        ({"sys": "all"}, SystemScope()),
        ({"sys": False}, Unscoped()),
        ({}, Unscoped()),
    ],
)
def test_scope_is_the_one_that_the_token_names(changes: Claims, scope: object) -> None:
    token = read(body_of({**changes, "roles": ["member"]}, SCOPES))
    assert token.scope == scope
    # Roles are roles on the scope: without one there are none.
    assert token.principal.role_names == (set() if scope == Unscoped() else {"member"})


@pytest.mark.parametrize(
    "changes",
    [{"tenant": "p1", "dom": "d1"}, {"tenant": "p1", "sys": True}, {"dom": "d", "sys": "all"}],
)
def test_token_of_more_than_one_scope_is_refused(changes: Claims) -> None:
    assert reason_of(changes, SCOPES) is Reason.MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        *({"tenant": value} for value in _NO_TEXTS),
        *({"dom": value} for value in _NO_TEXTS),
        *({"sys": value} for value in _NO_SYSTEMS),
    ],
)
def test_scope_of_another_type_is_refused_and_not_taken_for_none(changes: Claims) -> None:
    assert reason_of(changes, SCOPES) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("roles", "names"),
    [
        (["a", "b"], ["a", "b"]),
        ("a", ["a"]),
        ("a b", ["a b"]),
        ([{"name": "a", "id": "1"}], ["a"]),
        ({"value": "a"}, ["a"]),
        (["a", "a", {"name": "a"}], ["a"]),
        ([], []),
        (None, []),
    ],
)
def test_roles_are_names_or_objects(roles: object, names: list[str]) -> None:
    assert [role["name"] for role in body_of({"roles": roles})["roles"]] == names


@pytest.mark.parametrize(
    "roles", [1, True, [1], [None], [["a"]], [""], "", [{}], [{"id": "1"}], [{"name": 1}], {"a": 1}]
)
def test_roles_of_another_type_refuse_the_token(roles: object) -> None:
    assert reason_of({"roles": roles}) is Reason.MALFORMED


def test_roles_of_several_claims_are_joined() -> None:
    claims = {"roles": ["realm.roles", "client.roles"]}
    body = body_of({"realm": {"roles": ["a", "b"]}, "client": {"roles": ["b", "c"]}}, claims)
    assert [role["name"] for role in body["roles"]] == ["a", "b", "c"]


def test_groups_are_those_of_a_federated_user() -> None:
    body = body_of({"groups": ["g1", {"value": "g2", "display": "Two"}, {"id": "g3"}]})
    assert body["user"]["OS-FEDERATION"]["groups"] == [{"id": "g1"}, {"id": "g2"}, {"id": "g3"}]
    assert read(body)
    for groups in (1, [1], [{"display": "x"}], True):
        assert reason_of({"groups": groups}) is Reason.MALFORMED


def test_role_that_no_header_can_carry_is_unsafe() -> None:
    assert reason_of({"roles": ["a\r\nX-User-Id: root"]}) is Reason.UNSAFE_VALUE


def test_role_with_a_comma_gives_no_other_role() -> None:
    token = read(body_of({"roles": ["member,admin", "reader"]}))
    assert token.principal.user_environ["HTTP_X_ROLES"] == "reader"


def test_time_of_issue_is_the_earliest_there_is_where_the_token_does_not_say() -> None:
    (issuer,) = make_issuers(
        IssuerOptions(name="m", profile="spiffe", trust_domain="a.example", audience=[US])
    )
    claims = {"sub": "spiffe://a.example/w", "aud": US, "exp": NOW + 1}
    token = check(issuer, claims, typ=None)
    assert read(make_token_body(token)).issued_at == 0


def test_methods_are_those_of_amr() -> None:
    assert body_of({"amr": ["pwd", "otp"]})["methods"] == ["pwd", "otp"]
    assert body_of({})["methods"] == []
    assert reason_of({"amr": [1]}) is Reason.MALFORMED

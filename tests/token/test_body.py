"""A token body becomes a Token, or an InvalidToken that says which member is wrong."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from authmw.errors import InvalidToken, MalformedBody, Reason
from authmw.token import (
    DomainScope,
    OAuth1Access,
    ProjectScope,
    Role,
    SystemScope,
    Token,
    Trust,
    Unscoped,
    User,
)
from authmw.token.catalog import ServiceCatalog
from tests.support.token_bodies import CATALOG, EXPIRES_AT, ISSUED_AT, make_body

PROJECT_HEADERS = {
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_USER_ID": "u1",
    "HTTP_X_USER_NAME": "Ada",
    "HTTP_X_USER_DOMAIN_ID": "d1",
    "HTTP_X_USER_DOMAIN_NAME": "Default",
    "HTTP_X_PROJECT_ID": "p1",
    "HTTP_X_PROJECT_NAME": "Projet",
    "HTTP_X_PROJECT_DOMAIN_ID": "d2",
    "HTTP_X_PROJECT_DOMAIN_NAME": "Zweite",
    "HTTP_X_ROLES": "member,reader",
    "HTTP_X_IS_ADMIN_PROJECT": "True",
    "HTTP_X_TENANT_ID": "p1",
    "HTTP_X_TENANT_NAME": "Projet",
    "HTTP_X_TENANT": "Projet",
    "HTTP_X_USER": "Ada",
    "HTTP_X_ROLE": "member,reader",
}


def read(body: dict[str, Any], catalog: list[dict[str, Any]] | None = None) -> Token:
    return Token.from_body(
        body,
        None if catalog is None else ServiceCatalog.from_services(catalog),
        answered_at=0,
        fresh_until=EXPIRES_AT,
        usable_until=EXPIRES_AT,
    )


def test_a_project_scoped_body_is_read_whole() -> None:
    token = read(make_body())
    assert token.user == User("u1", "Ada", "d1", "Default")
    assert token.scope == ProjectScope("p1", "Projet", "d2", "Zweite", is_domain=False)
    assert token.roles == (Role("r1", "member"), Role("r2", "reader"))
    assert (token.issued_at, token.expires_at) == (ISSUED_AT, EXPIRES_AT)
    assert (token.audit_ids, token.audit_id) == (("audit-1", "chain-1"), "audit-1")
    assert token.methods == ("password",)


@pytest.mark.parametrize(
    ("scope", "parsed"),
    [
        ("project", ProjectScope("p1", "Projet", "d2", "Zweite")),
        ("domain", DomainScope("d2", "Zweite")),
        ("system", SystemScope()),
        ("unscoped", Unscoped()),
    ],
)
def test_a_token_has_one_scope(scope: str, parsed: object) -> None:
    assert read(make_body(scope)).scope == parsed


def test_project_scope_renders_exactly_the_headers_of_the_contract() -> None:
    assert read(make_body()).principal.user_environ == PROJECT_HEADERS


def test_domain_scope_renders_domain_headers_and_no_project_header() -> None:
    environ = read(make_body("domain")).principal.user_environ
    assert (environ["HTTP_X_DOMAIN_ID"], environ["HTTP_X_DOMAIN_NAME"]) == ("d2", "Zweite")
    assert not [key for key in environ if "PROJECT_" in key or "TENANT" in key]


def test_system_scope_is_said_for_the_user_token_alone() -> None:
    principal = read(make_body("system")).principal
    assert principal.user_environ["HTTP_OPENSTACK_SYSTEM_SCOPE"] == "all"
    assert not [key for key in principal.service_environ if "SYSTEM" in key]


def test_an_unscoped_token_has_an_empty_list_of_roles_and_no_scope() -> None:
    environ = read(make_body("unscoped")).principal.user_environ
    assert environ["HTTP_X_ROLES"] == ""
    assert not [key for key in environ if "PROJECT_" in key or "_X_DOMAIN" in key or "SYS" in key]


def test_service_headers_carry_the_service_prefix_and_no_deprecated_copies() -> None:
    assert read(make_body()).principal.service_environ == {
        "HTTP_X_SERVICE_IDENTITY_STATUS": "Confirmed",
        "HTTP_X_SERVICE_USER_ID": "u1",
        "HTTP_X_SERVICE_USER_NAME": "Ada",
        "HTTP_X_SERVICE_USER_DOMAIN_ID": "d1",
        "HTTP_X_SERVICE_USER_DOMAIN_NAME": "Default",
        "HTTP_X_SERVICE_PROJECT_ID": "p1",
        "HTTP_X_SERVICE_PROJECT_NAME": "Projet",
        "HTTP_X_SERVICE_PROJECT_DOMAIN_ID": "d2",
        "HTTP_X_SERVICE_PROJECT_DOMAIN_NAME": "Zweite",
        "HTTP_X_SERVICE_ROLES": "member,reader",
    }


@pytest.mark.parametrize(("said", "header"), [(..., "True"), (True, "True"), (False, "False")])
def test_is_admin_project_is_true_where_the_token_does_not_say(said: object, header: str) -> None:
    environ = read(make_body(is_admin_project=said)).principal.user_environ
    assert environ["HTTP_X_IS_ADMIN_PROJECT"] == header


def test_the_catalog_is_rendered_in_v2_shape_for_the_user_token_alone() -> None:
    principal = read(make_body(), CATALOG).principal
    assert json.loads(principal.user_environ["HTTP_X_SERVICE_CATALOG"]) == [
        {
            "type": "compute",
            "name": "nova",
            "endpoints": [
                {
                    "region": region,
                    "publicURL": f"http://{region}.example/compute",
                    "internalURL": f"http://{region}.internal/compute",
                }
                for region in ("east", "west")
            ],
        },
        {"type": "empty", "endpoints": []},
    ]
    assert not [key for key in principal.service_environ if "CATALOG" in key]


def test_a_role_name_that_a_list_can_not_say_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    names = ["member", "a,admin", " admin", "admin ", "", "reader"]
    roles = [{"id": str(number), "name": name} for number, name in enumerate(names)]
    token = read(make_body(roles=roles))
    assert token.principal.user_environ["HTTP_X_ROLES"] == "member,reader"
    assert len(token.roles) == len(names)
    read(make_body(roles=roles))
    warnings = [
        record.getMessage() for record in caplog.records if "'a,admin'" in record.msg % record.args
    ]
    assert len(warnings) == 1, "said once, not once a token"


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\x1f", "\x7f", "\x85", "\ud800"])
@pytest.mark.parametrize("member", ["user", "project", "roles"])
def test_a_control_character_in_any_value_makes_the_token_invalid(char: str, member: str) -> None:
    name = f"a{char}b"
    changed: dict[str, Any] = {
        "user": {"user": {"id": "u1", "name": name}},
        "project": {"project": {"id": "p1", "name": name}},
        "roles": {"roles": [{"id": "r", "name": name}]},
    }
    with pytest.raises(InvalidToken) as caught:
        read(make_body(**changed[member]))
    assert caught.value.reason is Reason.UNSAFE_VALUE


def test_names_beyond_latin_1_stay_ordinary_text() -> None:
    token = read(make_body(user={"id": "u1", "name": "Ελένη 🚀"}))
    assert token.principal.user_environ["HTTP_X_USER_NAME"] == "Ελένη 🚀"


def test_absent_values_are_absent_keys() -> None:
    environ = read(make_body(user={"id": "u1"}, project={"id": "p1", "domain": None})).principal
    assert "HTTP_X_USER_NAME" not in environ.user_environ
    assert "HTTP_X_PROJECT_DOMAIN_ID" not in environ.user_environ
    assert None not in environ.user_environ.values()


def test_token_info_is_the_body_and_each_caller_has_his_own() -> None:
    body = make_body(catalog=CATALOG)
    token = read(body, CATALOG)
    first = token.to_token_info()
    assert first == {"token": body}
    first["token"]["user"]["name"] = "Eve"
    first["token"]["roles"].clear()
    first["token"]["audit_ids"].append("x")
    assert token.to_token_info() == {"token": body}


def test_the_catalog_in_token_info_is_read_only_and_its_copies_are_not() -> None:
    token = read(make_body(), CATALOG)
    catalog = token.to_token_info()["token"]["catalog"]
    changes: list[Callable[[], Any]] = [
        lambda: catalog.append({}),
        lambda: catalog[0].update(type="identity"),
        lambda: catalog[0]["endpoints"].clear(),
        lambda: catalog[0]["endpoints"][0].__setitem__("url", "http://evil.example"),
    ]
    for change in changes:
        with pytest.raises(TypeError, match="read-only"):
            change()
    for copied in (
        copy.deepcopy(catalog),
        pickle.loads(pickle.dumps(catalog)),
        json.loads(json.dumps(catalog)),
    ):
        assert (type(copied), type(copied[0])) == (list, dict)
        assert type(copied[0]["endpoints"]) is list
        assert copied == CATALOG
        copied[0]["endpoints"][0]["url"] = "changed"
    assert type(copy.copy(catalog)) is list
    assert catalog == CATALOG


@pytest.mark.parametrize(
    "services", [None, {}, "catalog", [7], [{"type": "compute", "endpoints": 7}]]
)
def test_what_is_no_catalog_is_refused_as_the_docstring_says(services: object) -> None:
    with pytest.raises(ValueError, match="list"):
        ServiceCatalog.from_services(services)


def test_equal_catalogs_are_one_object() -> None:
    first, second = read(make_body(), CATALOG), read(make_body("domain"), copy.deepcopy(CATALOG))
    assert first.principal.catalog is second.principal.catalog is not None


def test_tokens_of_one_bearer_have_one_principal() -> None:
    first, second = (
        read(make_body(audit_ids=[audit_id], methods=[method]), CATALOG)
        for audit_id, method in (("a1", "password"), ("a2", "token"))
    )
    assert second.principal is first.principal
    assert (second.audit_ids, second.methods) == (("a2",), ("token",))
    first.to_token_info()["token"]["user"]["name"] = "Eve"
    assert second.to_token_info()["token"]["user"]["name"] == "Ada"


@pytest.mark.parametrize(
    "other",
    [
        {"roles": [{"id": "r1", "name": "member"}]},
        {"is_domain": True},
        {"is_admin_project": False},
        {"odd": 1},
        {"odd": True},
        {"odd": 1.0},
        {"odd": "1"},
        {"odd": [1]},
        {"odd": None},
    ],
)
def test_whoever_differs_in_anything_has_a_principal_of_his_own(other: dict[str, Any]) -> None:
    plain, one = read(make_body()), read(make_body(odd=[]))
    differing = read(make_body(**other))
    assert differing.principal is not plain.principal
    assert differing.principal is not one.principal
    assert differing.to_token_info()["token"] == make_body(**other)


def test_a_principal_with_another_catalog_is_another() -> None:
    without, with_one, with_another = (
        read(make_body(), catalog) for catalog in (None, CATALOG, CATALOG[:1])
    )
    assert without.catalog is None
    assert with_one.catalog is not with_another.catalog is not None
    assert "HTTP_X_SERVICE_CATALOG" not in without.principal.user_environ


def test_a_body_with_more_than_json_can_say_is_read_all_the_same() -> None:
    class Name(str):
        __slots__ = ()

    token = read(make_body(odd=Name("from a test of a service")))
    assert token.to_token_info()["token"]["odd"] == "from a test of a service"


def test_trust_and_oauth1_are_read() -> None:
    delegations: dict[str, Any] = {
        "OS-TRUST:trust": {
            "id": "t1",
            "impersonation": True,
            "trustor_user": {"id": "u1"},
            "trustee_user": {"id": "u2"},
        },
        "OS-OAUTH1": {"consumer_id": "c1", "access_token_id": "a1"},
    }
    token = read(make_body(**delegations))
    assert token.principal.trust == Trust("t1", "u1", "u2", impersonation=True)
    assert token.principal.oauth1 == OAuth1Access("c1", "a1")


def test_an_application_credential_brings_its_rules() -> None:
    rules = [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]
    restricted = read(make_body(application_credential={"id": "ac", "access_rules": rules}))
    assert restricted.principal.application_credential_id == "ac"
    assert restricted.principal.access_rules is not None
    assert len(restricted.principal.access_rules) == 1
    free = read(make_body(application_credential={"id": "ac"}))
    assert free.principal.access_rules is None


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"user": ...}, "'user' is not an object but NoneType"),
        ({"user": []}, "'user' is not an object but list"),
        ({"user": {"name": "Ada"}}, "'id' is not a string but NoneType"),
        ({"user": {"id": ""}}, "'id' is empty"),
        ({"user": {"id": 7}}, "'id' is not a string but int"),
        ({"user": {"id": "u", "domain": "d"}}, "'domain' is not an object but str"),
        ({"roles": {}}, "'roles' is not an array but dict"),
        ({"roles": ["member"]}, "a role is not an object"),
        ({"roles": [{"id": "r"}]}, "'name' is not a string but NoneType"),
        ({"project": "p1"}, "'project' is not an object but str"),
        ({"domain": {"id": "d"}}, "more than one of"),
        ({"project": ..., "system": {"all": 1}}, "'all' is not a boolean but int"),
        ({"project": ..., "system": {"all": False}}, "'system' is not {'all': true}"),
        ({"is_admin_project": "False"}, "'is_admin_project' is not a boolean but str"),
        ({"audit_ids": [1]}, "'audit_ids' is not an array of strings"),
        ({"methods": "password"}, "'methods' is not an array but str"),
        ({"expires_at": ...}, "'expires_at' is not a string but NoneType"),
        ({"expires_at": 7}, "'expires_at' is not a string but int"),
        ({"expires_at": "tomorrow"}, "'expires_at' is not a time of ISO 8601"),
        ({"issued_at": "2023-02-30T00:00:00Z"}, "'issued_at' is not a time of ISO 8601"),
        ({"application_credential": {"access_rules": "all"}}, "'access_rules': "),
        ({"OS-TRUST:trust": {"id": "t"}}, "'trustor_user' is not an object but NoneType"),
        ({"bind": ["kerberos"]}, "'bind' is not an object but list"),
    ],
)
def test_a_body_of_another_shape_is_refused_with_the_place(
    members: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(MalformedBody) as caught:
        read(make_body(**members))
    assert complaint in str(caught.value)


def test_a_body_nested_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(MalformedBody, match="nested too deep"):
        read(make_body(odd=deep))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T23:13:20Z", EXPIRES_AT),
        ("2023-11-14T23:13:20.999999Z", EXPIRES_AT),
        ("2023-11-14T23:13:20", EXPIRES_AT),
        ("2023-11-15T00:13:20+01:00", EXPIRES_AT),
    ],
)
def test_times_are_truncated_to_seconds_and_mean_utc(text: str, seconds: int) -> None:
    assert read(make_body(expires_at=text)).expires_at == seconds


def test_a_principal_joined_with_claims_gives_the_body_that_was_read() -> None:
    body = make_body(oauth2_credential={"x5t#S256": "thumb"})
    read_whole = read(body)
    joined = Token.of_principal(
        read_whole.principal,
        methods=("password",),
        audit_ids=("audit-1", "chain-1"),
        issued_at=ISSUED_AT,
        expires_at=EXPIRES_AT,
        thumbprint="thumb",
        answered_at=0,
        fresh_until=EXPIRES_AT,
        signed_by="a key",
        usable_until=EXPIRES_AT,
    )
    assert joined == dataclasses.replace(read_whole, signed_by="a key")
    assert joined.to_token_info() == read_whole.to_token_info() == {"token": body}

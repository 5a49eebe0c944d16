"""Access rules of application credentials: what is allowed, and that all else is refused."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest
import webob
from hypothesis import given
from hypothesis import strategies as st

from authmw.checks.access_rules import verify_access
from authmw.checks.paths import access_path
from authmw.errors import InvalidToken, Reason
from authmw.token.access_rules import AccessRule, parse_access_rules

CATALOG = frozenset({"compute", "identity", "image"})


def rule(service: str, method: str, path: str) -> AccessRule:
    return AccessRule(service, method, path)


LIST_SERVERS = rule("compute", "GET", "/v2.1/servers")


def refusal(
    rules: tuple[AccessRule, ...] | None,
    *,
    service_type: str | None = "compute",
    method: str = "GET",
    path: str = "/v2.1/servers",
    catalog_types: frozenset[str] | None = CATALOG,
    is_service_request: bool = False,
) -> str | None:
    """Return why a request is refused, or None where it is allowed."""
    try:
        verify_access(
            rules,
            service_type=service_type,
            method=method,
            path=path,
            catalog_types=catalog_types,
            is_service_request=is_service_request,
        )
    except InvalidToken as error:
        refused = error
    else:
        return None
    assert refused.reason is Reason.ACCESS_RULE
    return refused.detail


# --- parsing ------------------------------------------------------------------------------


def test_rules_that_are_absent_do_not_restrict() -> None:
    assert parse_access_rules(None) is None


def test_an_empty_list_of_rules_is_no_permission_and_not_no_restriction() -> None:
    assert parse_access_rules([]) == ()


def test_rules_are_parsed_as_keystone_renders_them() -> None:
    rendered = [
        {"id": "07d7", "service": "compute", "method": "GET", "path": "/v2.1/servers"},
        {"id": "2f0c", "service": "image", "method": "DELETE", "path": "/v2/images/{id}"},
    ]
    assert parse_access_rules(rendered) == (
        rule("compute", "GET", "/v2.1/servers"),
        rule("image", "DELETE", "/v2/images/{id}"),
    )


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "GET /v2.1/servers",
        ["compute", "GET", "/v2.1/servers"],
        {},
        {"id": "07d7"},
        {"service": "compute", "method": "GET"},
        {"service": "compute", "path": "/**"},
        {"method": "GET", "path": "/**"},
        {"service": None, "method": "GET", "path": "/**"},
        {"service": "compute", "method": ["GET"], "path": "/**"},
        {"service": "compute", "method": "GET", "path": 7},
    ],
)
def test_an_entry_that_is_no_rule_is_left_out_and_the_others_are_kept(entry: object) -> None:
    good = {"service": "compute", "method": "GET", "path": "/v2.1/servers"}

    assert parse_access_rules([entry]) == ()
    assert parse_access_rules([entry, good]) == (LIST_SERVERS,)
    assert parse_access_rules([good, entry]) == (LIST_SERVERS,)


@pytest.mark.parametrize(
    ("value", "kind"), [({}, "dict"), ("", "str"), (False, "bool"), (0, "int"), ((), "tuple")]
)
def test_rules_that_are_no_list_are_malformed_however_false_they_look(
    value: object, kind: str
) -> None:
    with pytest.raises(ValueError, match=f"^access_rules is a list or null, not {kind}$"):
        parse_access_rules(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["service", "method", "path", "id"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_json_value_becomes_permission_by_being_odd(value: object) -> None:
    try:
        rules = parse_access_rules(value)
    except ValueError:
        return
    assert (rules is None) == (value is None)
    if rules is not None:
        assert refusal(rules) is not None


@pytest.mark.parametrize(
    "path", ["", "**", "/***", "/{", "/../**", "/\ud800", "/*a*a*a*a*b" * 2000]
)
def test_an_unusable_pattern_allows_nothing_and_the_others_what_they_say(path: str) -> None:
    unusable = rule("compute", "GET", path)
    assert refusal((unusable,), path="/v2.1/servers") is not None
    assert refusal((unusable,), path=path) is not None
    assert refusal((unusable, LIST_SERVERS)) is None
    assert refusal((LIST_SERVERS, unusable)) is None


# --- deciding -----------------------------------------------------------------------------


def test_a_token_without_rules_is_allowed_everything() -> None:
    assert refusal(None, service_type=None, method="DELETE", path="", catalog_types=None) is None


def test_a_token_with_no_rule_is_allowed_nothing() -> None:
    assert refusal(()) == "no access rule for compute allows 'GET' on '/v2.1/servers'"


@pytest.mark.parametrize("service_type", [None, ""])
@pytest.mark.parametrize("is_service_request", [False, True])
def test_without_service_type_a_restricted_token_is_refused_and_the_option_is_named(
    service_type: str | None, *, is_service_request: bool
) -> None:
    open_to_all = (LIST_SERVERS, rule("", "GET", "/**"))
    detail = refusal(open_to_all, service_type=service_type, is_service_request=is_service_request)
    assert detail == (
        "the token is restricted by access rules, which can't be checked: set service_type "
        "in [keystone_authtoken] to this service's type in the catalog"
    )


@pytest.mark.parametrize(
    ("rules", "method", "path", "is_allowed"),
    [
        ([LIST_SERVERS], "GET", "/v2.1/servers", True),
        ([LIST_SERVERS], "HEAD", "/v2.1/servers", False),
        ([LIST_SERVERS], "get", "/v2.1/servers", False),
        ([LIST_SERVERS], "POST", "/v2.1/servers", False),
        ([LIST_SERVERS], "GET", "/v2.1/servers/", False),
        ([LIST_SERVERS], "GET", "/v2.1/servers/1", False),
        ([rule("compute", "HEAD", "/a")], "HEAD", "/a", True),
        ([rule("compute", "HEAD", "/a")], "GET", "/a", False),
        ([rule("compute", "get", "/a")], "GET", "/a", False),
        ([rule("image", "GET", "/v2.1/servers")], "GET", "/v2.1/servers", False),
        ([rule("Compute", "GET", "/v2.1/servers")], "GET", "/v2.1/servers", False),
        ([rule("*", "*", "/**")], "GET", "/v2.1/servers", False),
        ([rule("image", "GET", "/a"), LIST_SERVERS], "GET", "/v2.1/servers", True),
        # service, method and path are met by one rule together, not by one each
        (
            [
                rule("compute", "GET", "/a"),
                rule("compute", "PUT", "/b"),
                rule("image", "GET", "/b"),
            ],
            "GET",
            "/b",
            False,
        ),
    ],
)
def test_one_rule_must_allow_service_method_and_path(
    rules: list[AccessRule], method: str, path: str, *, is_allowed: bool
) -> None:
    detail = refusal(tuple(rules), method=method, path=path)
    if is_allowed:
        assert detail is None
    else:
        assert detail == f"no access rule for compute allows {method!r} on {path!r}"


@pytest.mark.parametrize("path", ["/v2.1/servers/../os-hosts", "/v2.1//os-hosts", "/a\\b", ""])
def test_a_path_that_can_be_read_in_two_ways_is_refused_and_the_log_says_so(path: str) -> None:
    assert refusal((rule("compute", "GET", "/**"),), path=path) == (
        f"no access rule matches a path that can be read in two ways: {path!r}"
    )


def test_a_refusal_can_neither_break_nor_flood_the_log() -> None:
    detail = refusal((), method="G\r\n" * 50, path="/x\r\nX-Roles: admin" + "y" * 9000)
    assert detail is not None
    assert detail.isprintable()
    assert len(detail) < 300

    detail = refusal((), method="G\n" * 50, path="/x" + "y" * 2000)
    assert detail is not None
    assert detail.isprintable()
    assert len(detail) < 300


def test_a_service_type_beside_the_catalog_is_refused_and_the_option_is_named() -> None:
    detail = refusal((LIST_SERVERS,), catalog_types=frozenset({"image"}))
    assert detail == (
        "service_type = 'compute' in [keystone_authtoken] is not among the service types of the "
        "token's catalog"
    )
    assert refusal((LIST_SERVERS,), catalog_types=frozenset()) == detail
    # a service request is no way around it
    assert refusal((LIST_SERVERS,), catalog_types=frozenset(), is_service_request=True) == detail


def test_a_token_without_a_catalog_is_judged_by_its_rules() -> None:
    assert refusal((LIST_SERVERS,), catalog_types=None) is None
    assert refusal((LIST_SERVERS,), catalog_types=None, path="/v2.1/flavors") is not None


def test_a_request_with_a_valid_service_token_is_not_held_to_the_rules() -> None:
    assert refusal((), method="DELETE", path="/v2.1/servers/1", is_service_request=True) is None
    assert refusal((), catalog_types=None, is_service_request=True) is None


@pytest.mark.parametrize(
    ("service_type", "method", "path", "is_allowed"),
    [
        ("identity", "GET", "/v3/auth/tokens", True),
        ("identity", "GET", "/identity/v3/auth/tokens", True),
        ("identity", "HEAD", "/v3/auth/tokens", False),
        ("identity", "POST", "/v3/auth/tokens", False),
        ("identity", "DELETE", "/v3/auth/tokens", False),
        ("identity", "GET", "/v3/auth/tokens/", False),
        ("identity", "GET", "/v3/auth/tokens/x", False),
        ("identity", "GET", "/V3/auth/tokens", False),
        ("identity", "GET", "/xv3/auth/tokens", False),
        ("identity", "GET", "v3/auth/tokens", False),
        ("identity", "GET", "x/v3/auth/tokens", False),
        ("identity", "GET", "/v3/users/..//v3/auth/tokens", False),
        ("identity", "GET", "/v3/users//v3/auth/tokens", False),
        ("identity", "GET", "//v3/auth/tokens", False),
        ("identity", "GET", "/v3/users\x00/v3/auth/tokens", False),
        ("identity", "GET", "/v3/auth/../v3/auth/tokens", False),
        ("identity", "GET", "/v3/users%2f..%2f/v3/auth/tokens", False),
        ("identity", "GET", "/\xff/v3/auth/tokens", False),
        ("compute", "GET", "/v3/auth/tokens", False),
        ("image", "GET", "/v3/auth/tokens", False),
    ],
)
def test_a_restricted_token_may_always_be_validated_at_the_identity_service(
    service_type: str, method: str, path: str, *, is_allowed: bool
) -> None:
    detail = refusal((), service_type=service_type, method=method, path=path)
    assert (detail is None) is is_allowed


def test_validation_is_allowed_where_identity_is_missing_from_the_catalog() -> None:
    nothing: frozenset[str] = frozenset()
    path = "/v3/auth/tokens"
    assert refusal((), service_type="identity", path=path, catalog_types=nothing) is None


# --- the peer, where both should agree ----------------------------------------------------

PATTERNS = [
    "/v2.1/servers",
    "/v2.1/servers/",
    "/v2.1/servers/*",
    "/v2.1/servers/{server_id}",
    "/v2.1/servers/{server_id}/ips",
    "/v2.1/servers/*/ips",
    "/v2.1/servers/{id}/metadata/{key}",
    "/v2.1/**",
    "/v2.1/servers/**",
    "/v2.1/**/ips",
    "/**/ips",
    "/v2.1/ser*",
    "/v2.1/ser**",
    "/v2.1/*/b6ba",
    "/*/*",
    "/**",
    "/v2.1/servers/b{rest}",
]
PATHS = [
    "/v2.1",
    "/v2.1/",
    "/v2.1/ser",
    "/v2.1/servers",
    "/v2.1/servers/",
    "/v2.1/servers/b6ba",
    "/v2.1/servers/b",
    "/v2.1/servers/b6ba/ips",
    "/v2.1/servers/b6ba/ips/",
    "/v2.1/servers/b6ba/metadata/color",
    "/v2.1/flavors/b6ba",
    "/v2.1/ips",
    "/ips",
    "/v3/auth/tokens",
]


@pytest.fixture(scope="module")
def peer() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it imports is not ours to keep quiet
        from keystonemiddleware.auth_token import BaseAuthProtocol
        from keystonemiddleware.exceptions import KeystoneMiddlewareException

    protocol = BaseAuthProtocol(None, log=logging.getLogger(__name__), service_type="compute")

    def is_allowed(method: str, mounted_at: str, path: str, rules: list[dict[str, str]]) -> bool:
        request = webob.Request.blank(path, method=method, environ={"SCRIPT_NAME": mounted_at})
        request.service_token = None
        token = {
            "application_credential": {"access_rules": rules},
            "catalog": [{"type": name} for name in sorted(CATALOG)],
        }
        try:
            protocol.validate_allowed_request(request, token)
        except KeystoneMiddlewareException:
            return False
        return True

    return is_allowed


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ordinary_requests_are_judged_as_by_keystonemiddleware(peer: Any, pattern: str) -> None:
    verdicts = set()
    for method in ("GET", "HEAD", "POST"):
        for service in ("compute", "image"):
            rendered = [{"service": service, "method": "GET", "path": pattern}]
            rules = parse_access_rules(rendered)
            for path in PATHS:
                theirs = peer(method, "", path, rendered)
                ours = refusal(rules, method=method, path=path) is None
                assert ours == theirs, (method, service, path)
                verdicts.add(ours)
    assert verdicts == {True, False}


def test_a_mounted_service_is_judged_as_by_keystonemiddleware(peer: Any) -> None:
    rendered = [{"service": "compute", "method": "GET", "path": "/compute/v2.1/servers/*"}]
    rules = parse_access_rules(rendered)
    verdicts = []
    for mounted_at in ("", "/compute", "/compute/v2.1", "/other"):
        for path in ("/v2.1/servers/b6ba", "/servers/b6ba"):
            environ = {"SCRIPT_NAME": mounted_at, "PATH_INFO": path}
            ours = refusal(rules, path=access_path(environ)) is None
            assert ours == peer("GET", mounted_at, path, rendered), environ
            verdicts.append(ours)
    assert verdicts.count(True) == 2

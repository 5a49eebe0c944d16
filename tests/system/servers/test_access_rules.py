"""Access rules of application credentials, tried by a client that writes its own bytes."""

from __future__ import annotations

import pytest

from tests.support.identity_types import IssuedToken
from tests.support.keystone import Keystone
from tests.system.servers.contract import expected_headers
from tests.system.servers.people import People
from tests.system.servers.servers import Server, Servers, identity_of

RULES = [
    {"service": "compute", "method": "GET", "path": "/v2.1/servers/*"},
    {"service": "compute", "method": "GET", "path": "/v2.1/files/**"},
    {"service": "compute", "method": "GET", "path": "/v2.1/{project}/limits"},
    {"service": "image", "method": "GET", "path": "/v2.1/images"},
]

# Request targets as they go over the wire.
ALLOWED = [
    b"/v2.1/servers/42",
    b"/v2.1/servers/%34%32",
    b"/v2.1/%73ervers/42",
    b"/v2.1/servers/42?next=/../../secret",
    b"/v2.1/servers/42?x=//%2f%00",
    b"/v2.1/servers/caf%C3%A9",
    b"/v2.1/servers/...",
    b"/v2.1/servers/100%25",
    b"/v2.1/files/a/b/c",
    b"/v2.1/files/",
    b"/v2.1/p1/limits",
    b"http://elsewhere/v2.1/servers/42",
]
REFUSED = [
    b"/",
    b"/v2.1/servers",
    b"/v2.1/servers/",
    b"/v2.1/servers/42/",
    b"/v2.1/servers/42/action",
    b"/V2.1/servers/42",
    b"/v2.1/images",
    b"/v2.1/p1/p2/limits",
    b"/v2.1/p1%2fp2/limits",
    # a slash in disguise
    b"/v2.1/servers/42%2faction",
    b"/v2.1/servers/42%2Faction",
    b"/v2.1/servers/42%252faction",
    b"/v2.1/files/42%252faction",
    b"/v2.1%2fservers/42/x",
    # dot segments
    b"/v2.1/servers/.",
    b"/v2.1/servers/..",
    b"/v2.1/servers/%2e",
    b"/v2.1/servers/%2e%2e",
    b"/v2.1/servers/.%2E",
    b"/v2.1/servers/%252e%252e",
    b"/v2.1/servers/%25252e%25252e",
    b"/v2.1/files/../secret",
    b"/v2.1/files/a/%2e%2e/%2e%2e/secret",
    b"/v2.1/files/..%2fsecret",
    b"/v2.1/files/..;/secret",
    b"/v2.1/files/%2e%2e%3b/secret",
    b"/v2.1/files/a/.",
    b"http://elsewhere/v2.1/files/../secret",
    # doubled slashes
    b"//v2.1/servers/42",
    b"/v2.1//servers/42",
    b"/v2.1/files//a",
    b"/v2.1/files/a//",
    b"/v2.1/files/%2fa",
    b"/v2.1/files/a%2f%2fb",
    # backslashes
    b"/v2.1/files/a\\b",
    b"/v2.1/files/a%5cb",
    b"/v2.1/files/..%5csecret",
    b"/v2.1\\servers/42",
    # bytes that are not UTF-8, overlong forms, NUL, line ends
    b"/v2.1/files/%ff",
    b"/v2.1/files/\xff",
    b"/v2.1/files/%c0%ae%c0%ae/secret",
    b"/v2.1/files/%c0%af",
    b"/v2.1/files/%ed%a0%80",
    b"/v2.1/files/a%00",
    b"/v2.1/servers/42%0d%0aX-Roles:%20admin",
    b"/v2.1/files/.%09.",
    # no path at all
    b"*",
    b"v2.1/servers/42",
]


@pytest.fixture(scope="module")
def compute(keystone: Keystone) -> None:
    """Compute is in the catalog: a service without an endpoint is not."""
    api = keystone.fernet.api
    api.create_endpoint(api.create_service("compute"), "http://compute.invalid")


@pytest.fixture(scope="module")
def restricted(keystone: Keystone, people: People, compute: None) -> IssuedToken:
    api = keystone.fernet.api
    user = people.make_user("reader")
    return api.issue_from_application_credential(
        api.create_application_credential(user, people.project, access_rules=RULES)
    )


@pytest.mark.parametrize("target", ALLOWED, ids=repr)
def test_what_a_rule_allows_arrives(server: Server, restricted: IssuedToken, target: bytes) -> None:
    assert server.ask("compute", restricted, target=target).status == 200


@pytest.mark.parametrize("target", REFUSED, ids=repr)
def test_nothing_else_arrives(server: Server, restricted: IssuedToken, target: bytes) -> None:
    answer = server.ask("compute", restricted, target=target)
    # 400 is gunicorn's, for what is no request target at all.
    assert answer.status in (401, 400)


@pytest.mark.parametrize("target", REFUSED, ids=repr)
def test_the_same_requests_arrive_with_a_token_that_is_not_restricted(
    servers: Servers, tokens: dict[str, IssuedToken], target: bytes
) -> None:
    answer = servers.get("threads").ask("compute", tokens["project"], target=target)
    if answer.status != 400:
        assert answer.seen.headers["HTTP_X_IDENTITY_STATUS"] == "Confirmed"


@pytest.mark.parametrize(
    "method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "GETS", "get"]
)
def test_a_rule_allows_one_method(server: Server, restricted: IssuedToken, method: str) -> None:
    target = "/v2.1/servers/42"
    assert server.ask("compute", restricted, method=method, target=target).status in (401, 400)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_a_header_changes_neither_method_nor_path(
    server: Server, restricted: IssuedToken, header: str
) -> None:
    target = "/v2.1/servers/42"
    lines = [f"{header}: GET"]
    assert server.ask("compute", restricted, lines, method="POST", target=target).status == 401
    for rewrite in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Path"):
        lines = [f"{rewrite}: {target}"]
        assert server.ask("compute", restricted, lines, target="/secret").status == 401


@pytest.mark.parametrize(
    ("script_name", "target", "status"),
    [
        ("/v2.1", b"/v2.1/servers/42", 200),
        ("/v2.1/servers", b"/v2.1/servers/42", 200),
        ("/secret", b"/secret/v2.1/servers/42", 401),
        ("/v2", b"/v2.1/servers/42", 401),
        ("/v2.1/", b"/v2.1/servers/42", 401),
        ("/v2.1/files/%2e%2e", b"/v2.1/files/%2e%2e/secret", 401),
        ("/v2.1/files/..", b"/v2.1/files/../secret", 401),
        ("/v2.1/files/a%2f%2fb", b"/v2.1/files/a%2f%2fb/c", 401),
    ],
)
def test_rules_speak_of_the_whole_path_wherever_the_service_is_mounted(
    server: Server, restricted: IssuedToken, script_name: str, target: bytes, status: int
) -> None:
    # gunicorn takes SCRIPT_NAME from a header where a proxy on its own machine sends it.
    lines = [f"SCRIPT_NAME: {script_name}"]
    answer = server.ask("compute", restricted, lines, target=target)
    assert answer.status == status
    if status == 200:
        assert answer.seen.path[0] == script_name


def test_a_service_that_does_not_say_what_it_is_takes_no_restricted_token(
    server: Server, restricted: IssuedToken
) -> None:
    answer = server.ask("strict", restricted, target="/v2.1/servers/42")
    assert answer.status == 401
    assert b"service_type" not in answer.body


def test_a_service_that_acts_for_the_user_is_not_bound_by_the_rules(
    server: Server, restricted: IssuedToken, service_token: IssuedToken, keystone: Keystone
) -> None:
    answer = server.ask("compute", restricted, service=service_token, target="/secret")
    told = expected_headers(keystone.fernet.api.validate(restricted).body)
    assert {key: identity_of(answer).get(key) for key in told} == told


def test_a_user_s_token_as_service_token_changes_nothing(
    server: Server, restricted: IssuedToken, tokens: dict[str, IssuedToken]
) -> None:
    answer = server.ask("compute", restricted, service=tokens["project"], target="/secret")
    assert answer.status == 401


def test_rules_absent_allow_everything(
    server: Server, keystone: Keystone, people: People, compute: None
) -> None:
    api = keystone.fernet.api
    user = people.make_user("reader")
    token = api.issue_from_application_credential(
        api.create_application_credential(user, people.project)
    )
    assert "access_rules" not in api.validate(token).body["application_credential"]
    assert server.ask("compute", token, target="/secret").status == 200


def test_an_empty_list_of_rules_restricts_nothing_since_keystone_keeps_none(
    server: Server, keystone: Keystone, people: People, compute: None
) -> None:
    api = keystone.fernet.api
    user = people.make_user("reader")
    token = api.issue_from_application_credential(
        api.create_application_credential(user, people.project, access_rules=[])
    )
    assert "access_rules" not in api.validate(token).body["application_credential"]
    assert server.ask("compute", token, target="/secret").status == 200

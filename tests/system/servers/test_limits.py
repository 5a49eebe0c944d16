"""Sizes of headers and tokens: what server, filter and Keystone each accept at most."""

from __future__ import annotations

import uuid

import pytest

from tests.support.identity_types import IssuedToken
from tests.support.keystone import Keystone
from tests.system.servers.servers import Server

# gunicorn's limit_request_field_size: the whole line, its end included.
LONGEST_LINE_BYTES = 8190
OTHERS = len("X-Auth-Token: \r\n")


@pytest.mark.parametrize(
    ("size", "status"),
    [
        (7999, 401),
        (8000, 401),  # Keystone is asked
        (8001, 401),  # over max_token_size
        (LONGEST_LINE_BYTES - OTHERS, 401),
        (LONGEST_LINE_BYTES - OTHERS + 1, 431),
        (60_000, 431),
    ],
)
def test_a_long_token_is_refused_by_whoever_comes_first(
    server: Server, size: int, status: int
) -> None:
    answer = server.ask("strict", None, [f"X-Auth-Token: {'x' * size}"])
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith(
        "application/json" if status == 401 else "text/html"
    )


def test_the_longest_header_beside_a_good_token_arrives_whole(
    server: Server, tokens: dict[str, IssuedToken]
) -> None:
    value = "x" * (LONGEST_LINE_BYTES - len("X-Other: \r\n"))
    answer = server.ask("strict", tokens["project"], [f"X-Other: {value}"])
    assert answer.seen.headers["HTTP_X_OTHER"] == value


def test_a_request_of_a_hundred_headers_is_still_one(
    server: Server, tokens: dict[str, IssuedToken]
) -> None:
    others = 100 - len(["Host", "Connection", "X-Auth-Token"])
    lines = [f"X-User-Id-{number}: forged" for number in range(others)]
    answer = server.ask("strict", tokens["project"], lines)
    assert answer.seen.headers["HTTP_X_USER_ID"] == tokens["project"].body["user"]["id"]
    assert server.ask("strict", tokens["project"], [*lines, "X-More: 1"]).status == 431


def ask_about_new_token(server: Server, request_id: str) -> str:
    """Send a token nobody knows with this request id; returns what the server logged since."""
    log = server.process.log
    length = log.stat().st_size
    lines = [f"X-Auth-Token: {uuid.uuid4().hex}", f"X-OpenStack-Request-ID: {request_id}"]
    assert server.ask("strict", None, lines).status == 401
    # Everything is logged there, keystoneauth's requests with their headers as well.
    logged = log.read_bytes()[length:].decode()
    assert "/v3/auth/tokens -H" in logged
    return logged


def test_keystone_is_told_the_id_of_the_request_that_it_is_asked_for(server: Server) -> None:
    request_id = f"req-{uuid.uuid4()}"
    assert f'"X-OpenStack-Request-ID: {request_id}"' in ask_about_new_token(server, request_id)


@pytest.mark.parametrize(
    "made_up",
    ["", "req-1", "x" * 200, "req-{}'", "req-00000000-0000-0000-0000-00000000000g", "req-\xff"],
)
def test_what_does_not_look_like_a_request_id_is_not_passed_on(
    server: Server, made_up: str
) -> None:
    assert "X-OpenStack-Request-ID" not in ask_about_new_token(server, made_up)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_refusal_over_the_wire(server: Server, keystone: Keystone, method: str) -> None:
    answer = server.ask("strict", method=method)
    assert answer.status == 401
    assert answer.headers.get_all("WWW-Authenticate") == [
        f'Keystone uri="{keystone.fernet.auth_url}"'
    ]
    assert (b'"code": 401' in answer.body) is (method == "GET")
    assert answer.body == b"" or method == "GET"


def test_a_401_of_the_service_s_own_says_where_to_authenticate(
    server: Server, keystone: Keystone, tokens: dict[str, IssuedToken]
) -> None:
    answer = server.ask("strict", tokens["project"], ["X-Answer: 401 Not You"])
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (
        401,
        f'Keystone uri="{keystone.fernet.auth_url}"',
    )
    answer = server.ask("strict", tokens["project"], ["X-Answer: 403 Not You"])
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (403, None)

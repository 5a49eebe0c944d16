"""No spelling of an identity header lets a client set it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authmw.token.headers import IDENTITY_HEADERS
from tests.support.identity_types import IssuedToken
from tests.system.servers.servers import Server, Servers, identity_of

NAMES = [header.name for header in IDENTITY_HEADERS] + [
    header.service_name for header in IDENTITY_HEADERS if header.for_service
]

# How a client may write one header; each makes the lines for a name.
SPELLINGS: dict[str, Callable[[str], list[bytes]]] = {
    "as the contract has it": lambda name: [f"{name}: forged".encode()],
    "in small letters": lambda name: [f"{name.lower()}: forged".encode()],
    "in capitals": lambda name: [f"{name.upper()}: forged".encode()],
    "in mixed case": lambda name: [f"{name.swapcase()}: forged".encode()],
    "without spaces": lambda name: [f"{name}:forged".encode()],
    "with spaces around the value": lambda name: [f"{name}: \t forged \t ".encode()],
    "twice": lambda name: [f"{name}: forged".encode(), f"{name.lower()}: forged too".encode()],
    "empty, then not": lambda name: [f"{name}:".encode(), f"{name}: forged".encode()],
    "with bytes that are not ASCII": lambda name: [f"{name}: ".encode() + b"forged\xff\xc3\xa9"],
    "with underscores": lambda name: [f"{name.replace('-', '_')}: forged".encode()],
    "with one underscore": lambda name: [f"{name.replace('-', '_', 1)}: forged".encode()],
    "with hyphens and underscores": lambda name: [
        f"{name}: forged".encode(),
        f"{name.replace('-', '_')}: forged too".encode(),
    ],
}

# What RFC 9112 section 5 has servers refuse; gunicorn does unless it is told otherwise.
MALFORMED: dict[str, Callable[[str], list[bytes]]] = {
    "folded": lambda name: [f"{name}:".encode(), b" forged"],
    "folded after a value": lambda name: [f"{name}: forged".encode(), b"\tforged too"],
    "hidden in a folded header": lambda name: [b"X-Other: begun", f" {name}: forged".encode()],
    "with a space before the colon": lambda name: [f"{name} : forged".encode()],
    "with a tab before the colon": lambda name: [f"{name}\t: forged".encode()],
}

# Refused by gunicorn, however lenient.
IMPOSSIBLE: dict[str, Callable[[str], list[bytes]]] = {
    "with nothing before the colon": lambda name: [f": {name}: forged".encode()],
    "after a lone line feed": lambda name: [f"X-Other: begun\n{name}: forged".encode()],
    "after a lone carriage return": lambda name: [f"X-Other: begun\r{name}: forged".encode()],
    "with NUL in the value": lambda name: [f"{name}: for\0ged".encode()],
    "with letters that become ASCII as capitals": lambda name: [
        name.replace("s", "\u017f").replace("i", "\u0131").encode() + b": forged"
    ],
}


def lines_of(spelling: Callable[[str], list[bytes]]) -> list[bytes]:
    """Return the lines that forge every header of the contract."""
    return [line for name in NAMES for line in spelling(name)]


def assert_nothing_forged(server: Server, lines: list[bytes], token: IssuedToken) -> None:
    """Send the lines beside a good token, a bad one and none, and look at what arrived."""
    honest = identity_of(server.ask("strict", token))
    # Without a service token nothing of one is there.
    assert not [key for key in honest if key.startswith("HTTP_X_SERVICE_")]
    assert identity_of(server.ask("strict", token, lines)) == honest
    assert identity_of(server.ask("delayed", token, lines)) == honest
    for more in ([], ["X-Auth-Token: made-up"], ["X-Auth-Token:"]):
        answer = server.ask("delayed", None, [*lines, *more])
        assert identity_of(answer) == {"HTTP_X_IDENTITY_STATUS": "Invalid"}
        assert "HTTP_X_SERVICE_CATALOG" not in answer.seen.headers
        assert answer.seen.token_info is None


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_forged_header_arrives(
    server: Server, tokens: dict[str, IssuedToken], spelling: str
) -> None:
    assert_nothing_forged(server, lines_of(SPELLINGS[spelling]), tokens["project"])


@pytest.mark.parametrize("spelling", [*SPELLINGS, *MALFORMED])
def test_nor_where_the_server_lets_every_spelling_through(
    servers: Servers, tokens: dict[str, IssuedToken], spelling: str
) -> None:
    lines = lines_of({**SPELLINGS, **MALFORMED}[spelling])
    assert_nothing_forged(servers.get("lenient"), lines, tokens["project"])


def test_the_lenient_server_does_let_them_through(servers: Servers) -> None:
    lines = ["X_Other: one", "X-Other: two", "X-Folded: a", " b", "X-Spaced : c"]
    headers = servers.get("lenient").ask("delayed", None, lines).seen.headers
    assert headers["HTTP_X_OTHER"] == "one,two"
    assert (headers["HTTP_X_FOLDED"], headers["HTTP_X_SPACED"]) == ("a b", "c")


@pytest.mark.parametrize("spelling", MALFORMED)
def test_what_http_forbids_does_not_get_past_the_server(server: Server, spelling: str) -> None:
    lines = MALFORMED[spelling]("X-User-Id")
    assert server.ask("delayed", None, lines).status == 400


@pytest.mark.parametrize("spelling", IMPOSSIBLE)
def test_nor_past_a_lenient_one(servers: Servers, spelling: str) -> None:
    lines = IMPOSSIBLE[spelling]("X-Service-Identity-Status")
    assert servers.get("lenient").ask("delayed", None, lines).status == 400


def test_what_comes_after_the_body_comes_too_late(
    servers: Servers, tokens: dict[str, IssuedToken]
) -> None:
    server = servers.get("lenient")
    honest = identity_of(server.ask("strict", tokens["project"]))
    # RFC 9112 section 7.1.2: trailers of a chunked body.
    body = b"3\r\nabc\r\n0\r\nX-User-Id: forged\r\nX-Roles: admin\r\n\r\n"
    lines = ["Transfer-Encoding: chunked", "Trailer: X-User-Id, X-Roles"]
    answer = server.ask("strict", tokens["project"], lines, method="POST", body=body)
    assert identity_of(answer) == honest
    answer = server.ask("delayed", None, lines, method="POST", body=body)
    assert identity_of(answer) == {"HTTP_X_IDENTITY_STATUS": "Invalid"}


@pytest.mark.parametrize("scope", ["domain", "system", "unscoped"])
def test_a_scope_can_t_be_added_to_a_token_that_has_another(
    server: Server, tokens: dict[str, IssuedToken], scope: str
) -> None:
    token = tokens[scope]
    lines = lines_of(SPELLINGS["as the contract has it"])
    assert_nothing_forged(server, lines, token)


@pytest.mark.parametrize(
    "forged",
    ["keystone.token_info", "authmw.token", "Keystone.Token_Info", "keystone-token-info"],
)
def test_environ_objects_can_t_come_in_as_headers(server: Server, forged: str) -> None:
    answer = server.ask("delayed", None, [f"{forged}: forged"])
    assert (answer.seen.token_info, answer.seen.audit_id) == (None, None)


def test_a_made_up_service_token_says_nothing(
    servers: Servers, tokens: dict[str, IssuedToken]
) -> None:
    server = servers.get("threads")
    lines = [*lines_of(SPELLINGS["in capitals"]), b"X-Service-Token: made-up"]
    assert server.ask("strict", tokens["project"], lines).status == 401
    told = identity_of(server.ask("delayed", tokens["project"], lines))
    assert {key: value for key, value in told.items() if key.startswith("HTTP_X_SERVICE_")} == {
        "HTTP_X_SERVICE_IDENTITY_STATUS": "Invalid"
    }


def test_two_tokens_in_one_request_are_none(server: Server, tokens: dict[str, IssuedToken]) -> None:
    one, other = tokens["project"].id, tokens["system"].id
    assert (
        server.ask("strict", None, [f"X-Auth-Token: {one}", f"x-auth-token: {other}"]).status == 401
    )

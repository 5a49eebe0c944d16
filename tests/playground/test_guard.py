"""Other web pages, and other machines, get nothing of the playground."""

from __future__ import annotations

import http.client
import json
import re
import socket
from urllib.parse import urlsplit

import pytest
import requests

from authmw.playground.server import Playground
from tests.playground.conftest import Client

pytestmark = pytest.mark.heavy

WISH = {
    "mode": "offline",
    "persona": "member",
    "method": "GET",
    "path": "/v1/items",
    "headers": [],
}


def ask(
    playground: Playground, method: str, path: str, headers: dict[str, str], body: str = ""
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(playground.url).port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode())
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/playground.js", "/api/requests", "/modes/remote/health"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", None]
)
def test_another_host_name_gets_nothing(
    playground: Playground, client: Client, path: str, host: str | None
) -> None:
    port = urlsplit(playground.url).port
    named = {} if host is None else {"Host": host.format(port=port)}
    status, body = ask(playground, "GET", path, named)
    assert status == 421
    assert client.key not in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_names_of_this_machine_get_the_page(playground: Playground, host: str) -> None:
    named = {"Host": f"{host}:{urlsplit(playground.url).port}"}
    assert ask(playground, "GET", "/", named)[0] == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"X-Playground-Key": None},
        {"X-Playground-Key": ""},
        {"X-Playground-Key": "another"},
        {"X-Playground-Key": "\xe9"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": None},
    ],
)
def test_only_the_own_page_may_send_requests(
    playground: Playground, client: Client, changes: dict[str, str | None]
) -> None:
    host = urlsplit(playground.url).netloc
    good: dict[str, str | None] = {
        "Host": host,
        "Origin": f"http://{host}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
        "X-Playground-Key": client.key,
    }
    body = json.dumps(WISH)

    def post(headers: dict[str, str | None]) -> int:
        named = {name: value for name, value in headers.items() if value is not None}
        return ask(playground, "POST", "/api/requests", named, body)[0]

    assert post(good) == 200
    assert post({**good, **changes}) == 403


def test_a_get_request_does_nothing(playground: Playground) -> None:
    assert requests.get(f"{playground.url}api/requests", timeout=10).status_code == 405
    assert requests.post(playground.url, timeout=10).status_code == 405
    assert requests.options(f"{playground.url}api/requests", timeout=10).status_code == 405


@pytest.mark.parametrize("path", ["", "playground.js", "playground.css", "icon.svg", "nothing"])
def test_every_response_says_what_browsers_must_not_do(playground: Playground, path: str) -> None:
    answer = requests.get(
        f"{playground.url}{path}", headers={"Origin": "https://evil.example"}, timeout=10
    )
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_the_page_loads_nothing_from_elsewhere_and_has_no_inline_script(
    playground: Playground,
) -> None:
    page = requests.get(playground.url, timeout=10).text
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == [
        "/icon.svg",
        "/playground.css",
        "/playground.js",
    ]
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?! src)", page)
    script = requests.get(f"{playground.url}playground.js", timeout=10).text
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def test_it_listens_on_the_loopback_interface_alone(playground: Playground) -> None:
    port = urlsplit(playground.url).port
    assert port is not None
    # An address of the host that is no loopback interface's; none on a machine without network.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            route.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no other interface")
        other = route.getsockname()[0]
    if other.startswith("127."):
        pytest.skip("this machine has no other interface")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((other, port), timeout=5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": "other"}, "mode is one of"),
        ({"mode": ["remote"]}, "mode is one of"),
        ({"persona": "root"}, "persona is one of"),
        ({"method": "DELETE"}, "method is one of"),
        ({"path": "v1"}, "the path begins with /"),
        ({"path": "/a b"}, "the path begins with /"),
        ({"path": "/a\r\nHost: b"}, "the path begins with /"),
        ({"path": "/a?b"}, "the path begins with /"),
        ({"path": "/\N{SNOWMAN}"}, "the path begins with /"),
        ({"path": "/" + "a" * 500}, "the path begins with /"),
        ({"path": None}, "the path begins with /"),
        ({"headers": None}, "headers are a list"),
        ({"headers": [["A", "b"]] * 31}, "headers are a list"),
        ({"headers": [["A"]]}, "a name and a value"),
        ({"headers": [["A", 1]]}, "a name and a value"),
        ({"headers": [["A_B", "c"]]}, "letters, digits and hyphens"),
        ({"headers": [["", "c"]]}, "letters, digits and hyphens"),
        ({"headers": [["A:", "c"]]}, "letters, digits and hyphens"),
        ({"headers": [["A", "b\r\nC: d"]]}, "printable ASCII"),
        ({"headers": [["A", "\xe9"]]}, "printable ASCII"),
        ({"headers": [["A", "b" * 4001]]}, "printable ASCII"),
        ({"headers": [["Host", "b"]]}, "left to the client"),
        ({"headers": [["Content-Length", "9"]]}, "left to the client"),
        ({"headers": [["x-auth-token", "b"]]}, "choose nobody"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(
    client: Client, changes: dict[str, object], said: str
) -> None:
    answer = client.post({**WISH, **changes})
    assert answer.status_code == 400
    assert said in answer.json()["error"]


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "[]", "1", '"\\ud800"', "\x00"])
def test_a_body_that_is_no_wish_is_refused(
    playground: Playground, client: Client, body: str
) -> None:
    headers = {
        "Host": urlsplit(playground.url).netloc,
        "Content-Type": "application/json",
        "X-Playground-Key": client.key,
    }
    assert ask(playground, "POST", "/api/requests", headers, body)[0] == 400


def test_nobody_may_send_a_token_of_another(client: Client) -> None:
    wish = {**WISH, "persona": "nobody", "headers": [["X-Auth-Token", "garbage"]]}
    assert client.post(wish).json()["status"] == "401 Unauthorized"


@pytest.mark.parametrize("path", ["modes/other/v1/items", "modes/", "modes/../etc"])
def test_there_are_no_other_modes(playground: Playground, path: str) -> None:
    assert requests.get(f"{playground.url}{path}", timeout=10).status_code == 404

"""uvicorn in front: what it lets through on the wire, websockets, and connections kept alive."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import uvicorn
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

import authmw
from authmw.asgi.interface import Receive, Scope, Send
from authmw.testing import Cloud
from authmw.token.headers import RESERVED_KEYS, to_scope_name
from tests.support.waiting import wait_for
from tests.system.servers.test_forged_headers import SPELLINGS, lines_of

pytestmark = pytest.mark.heavy
RESERVED = {to_scope_name(key).decode() for key in RESERVED_KEYS if key.startswith("HTTP_")}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what the app is told."""
    if scope["type"] == "lifespan":
        return
    token = authmw.current()
    told = {
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]],
        "user": None if token is None else token.user.name,
        "path": scope["path"],
    }
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps(told)})
        await send({"type": "websocket.close"})
        return
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", str(len(json.dumps(told))).encode())],
        }
    )
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


class Served:
    """An app that uvicorn serves in a thread."""

    def __init__(self, app: Any, **options: Any) -> None:
        self.server = uvicorn.Server(
            uvicorn.Config(
                app, log_level="critical", lifespan="off", ws="websockets-sansio", **options
            )
        )
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(
            target=lambda: asyncio.run(self.server.serve([self.listener]))
        )
        self.thread.start()
        assert wait_for(lambda: self.server.started, 10)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.listener.close()

    def send(self, lines: Iterable[bytes], target: bytes = b"/") -> tuple[int, Any]:
        """Send one request of these header lines; returns status and body."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as client:
            client.sendall(
                b"\r\n".join(
                    [
                        b"GET " + target + b" HTTP/1.1",
                        b"Host: x",
                        b"Connection: close",
                        *lines,
                        b"",
                        b"",
                    ]
                )
            )
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        return status, json.loads(body) if body.startswith(b"{") else body


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        yield running


@pytest.fixture(scope="module")
def strict(cloud: Cloud) -> Iterator[Served]:
    served = Served(cloud.protect(echo))
    yield served
    served.stop()


@pytest.fixture(scope="module")
def delayed(cloud: Cloud) -> Iterator[Served]:
    served = Served(cloud.protect(echo, delay_auth_decision="true"))
    yield served
    served.stop()


def identity_of(told: Any) -> list[list[str]]:
    """Return what the app was told under any spelling of a name of the contract."""
    return [
        pair for pair in told["headers"] if pair[0].lower().replace("_", "-").strip() in RESERVED
    ]


def with_token(token: str) -> list[bytes]:
    return [f"X-Auth-Token: {token}".encode()]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_forged_header_arrives(
    cloud: Cloud, strict: Served, delayed: Served, spelling: str
) -> None:
    lines = lines_of(SPELLINGS[spelling])
    token = with_token(cloud.personas.project_reader().token)
    for served in (strict, delayed):
        _, honest = served.send(token)
        status, told = served.send([*lines, *token])
        assert (status, identity_of(told)) == (200, identity_of(honest))
    for more in ([], [b"X-Auth-Token: made-up"]):
        status, told = delayed.send([*lines, *more])
        assert (status, identity_of(told)) == (200, [["x-identity-status", "Invalid"]])
        assert told["user"] is None
        assert strict.send([*lines, *more])[0] == 401


def test_two_tokens_in_one_request_are_none(cloud: Cloud, strict: Served) -> None:
    one, other = (cloud.personas[name].token for name in ("project_reader", "project_admin"))
    assert strict.send([*with_token(one), *with_token(other)])[0] == 401
    _, told = strict.send([*with_token(one), f"X_Auth_Token: {other}".encode()])
    sent = [value for name, value in told["headers"] if "token" in name]
    assert (told["user"], sent) == ("project_reader", [one])


@pytest.mark.parametrize(
    "target",
    [
        b"/public/../secret",
        b"/public/%2e%2e/secret",
        b"/public//x",
        b"/public/%ff",
        b"/public/a%5cb",
        b"/public/%252e%252e/x",
        b"/PUBLIC/x",
        b"http://public/x",
        b"/public%00/x",
    ],
)
def test_no_path_talks_its_way_past_public_paths(cloud: Cloud, target: bytes) -> None:
    served = Served(cloud.protect(echo, public_paths="/public/**"))
    try:
        assert served.send([], b"/public/x")[0] == 200
        assert served.send([], target)[0] in (400, 401)
    finally:
        served.stop()


@pytest.mark.parametrize("root_path", ["", "/api"])
def test_public_paths_are_those_that_the_app_routes_on(cloud: Cloud, root_path: str) -> None:
    served = Served(cloud.protect(echo, public_paths="/health"), root_path=root_path)
    try:
        status, told = served.send([], b"/health")
        assert (status, told["path"]) == (200, f"{root_path}/health")
        assert served.send([], b"/api/health")[0] == 401
    finally:
        served.stop()


def test_a_websocket_is_answered_before_it_is_accepted(cloud: Cloud, strict: Served) -> None:
    url = f"ws://127.0.0.1:{strict.port}/"
    headers = {**cloud.personas.project_reader().headers, "X_Roles": "admin", "X-Roles": "admin"}
    with connect(url, additional_headers=headers) as websocket:
        told = json.loads(websocket.recv(10))
    assert told["user"] == "project_reader"
    assert ["x-roles", "reader"] in identity_of(told)
    assert "admin" not in [value for _, value in identity_of(told)]
    with pytest.raises(InvalidStatus) as refused:
        connect(url)
    response = refused.value.response
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Keystone uri=")
    stolen = cloud.personas.project_admin().token
    with pytest.raises(InvalidStatus):
        connect(url, subprotocols=[Subprotocol("bearer"), Subprotocol(stolen)])


def test_requests_of_one_connection_are_each_their_own(cloud: Cloud, delayed: Served) -> None:
    token = cloud.personas.project_reader().token
    told = []
    with socket.create_connection(("127.0.0.1", delayed.port), 10) as client:
        for line in (f"X-Auth-Token: {token}\r\n", "", "X-Auth-Token: made-up\r\n"):
            client.sendall(f"GET / HTTP/1.1\r\nHost: x\r\n{line}\r\n".encode())
            answer = b""
            while not answer.endswith(b"}"):
                answer += client.recv(65536)
            told.append(json.loads(answer.partition(b"\r\n\r\n")[2])["user"])
    assert told == ["project_reader", None, None]

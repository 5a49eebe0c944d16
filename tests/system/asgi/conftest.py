"""An embedded cloud, and a client that calls an ASGI app as a server does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from authmw.asgi.interface import AsgiApp, Message
from authmw.testing import Cloud
from tests.support.doors import call


@dataclass
class Answer:
    """What a request came to."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def scope_of(path: str = "/", headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in {"host": "service.example", **(headers or {})}.items()
        ],
        "client": ("192.0.2.7", 50000),
        "server": ("service.example", 80),
        **more,
    }


def read(sent: list[Message]) -> Answer:
    start, *rest = sent
    assert start["type"].endswith("http.response.start"), sent
    return Answer(
        start["status"],
        {name.decode(): value.decode("latin-1") for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in rest),
    )


async def fetch(
    app: AsgiApp, path: str = "/", headers: dict[str, str] | None = None, **more: Any
) -> Answer:
    body = more.pop("body", b"")
    return read(await call(app, scope_of(path, headers, **more), body))


def get(
    app: AsgiApp, path: str = "/", headers: dict[str, str] | None = None, **more: Any
) -> Answer:
    """Send one request, on an event loop of its own."""
    return asyncio.run(fetch(app, path, headers, **more))


def connect(
    app: AsgiApp, path: str = "/", headers: dict[str, str] | None = None, **more: Any
) -> list[Message]:
    """Open a websocket, and close it when it was accepted; returns what the app sends."""
    scope = scope_of(path, headers, type="websocket", scheme="ws", subprotocols=[], **more)
    del scope["method"]
    sent: list[Message] = []
    incoming: list[Message] = [
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect", "code": 1000},
    ]

    async def receive() -> Message:
        return incoming.pop(0) if len(incoming) > 1 else incoming[0]

    async def send(message: Message) -> None:
        sent.append(message)

    async def serve() -> None:
        await app(scope, receive, send)

    asyncio.run(serve())
    return sent


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        yield running


@pytest.fixture
def cloud(_cloud: Cloud) -> Cloud:
    _cloud.reset()
    return _cloud

"""The ASGI middleware: what it adds to a hit in memory, and who waits for Keystone."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from authmw.asgi import AuthMiddleware
from authmw.asgi.interface import AsgiApp, Message, Receive, Scope, Send
from authmw.testing import Fault, IdentityServer
from benchmarks.measure import Effort, measure
from benchmarks.stage import CannotMeasure
from benchmarks.table import Row

_UNKNOWN_TOKENS = 100
_HITS = 1000


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Be the bare app."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def run(effort: Effort) -> Iterator[Row]:
    """Yield the rows of a hit, and of hits while Keystone hangs."""
    with IdentityServer() as server:
        yield _measure_hit(server, effort)
        yield _measure_waiting(server)


def _measure_hit(server: IdentityServer, effort: Effort) -> Row:
    app = _protect(server)
    token = server.issue("member", project="inventory")
    asyncio.run(_send(app, token))
    times = measure(
        {
            "bare": _steps_of(lambda: _send(answer, token)),
            "ours": _steps_of(lambda: _send(app, token)),
        },
        effort,
    )
    app.close()
    return Row("ASGI, in memory, small token", f"{times['ours'] - times['bare']:.2f} µs")


def _measure_waiting(server: IdentityServer) -> Row:
    """Measure how long hits take while many requests wait for a Keystone that hangs."""
    app = _protect(server)
    known = server.issue("member", project="inventory")
    unknown = [server.issue("reader", project="inventory") for _ in range(_UNKNOWN_TOKENS)]

    async def crowd() -> float:
        await _send(app, known)
        with server.failing(Fault.HANG, "validate"):
            waiting = [asyncio.create_task(_send(app, token)) for token in unknown]
            await asyncio.sleep(0.2)
            took = []
            for _ in range(_HITS):
                began = time.perf_counter()
                await _send(app, known)
                took.append(time.perf_counter() - began)
                await asyncio.sleep(0)
            if any(task.done() for task in waiting):
                raise CannotMeasure("Keystone answered while it was to hang")
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return statistics.quantiles(took, n=100)[98] * 1e6

    slowest = asyncio.run(crowd())
    app.close()
    what = f"ASGI, in memory, while {_UNKNOWN_TOKENS} requests wait for Keystone: 99th percentile"
    return Row(what, f"{slowest:.0f} µs", budget="1000 µs", is_met=slowest <= 1000)


def _protect(server: IdentityServer) -> AuthMiddleware:
    options = {**server.service_credentials, "revocation_poll_interval": "0"}
    return AuthMiddleware(answer, options)


async def _send(app: AsgiApp, token: str) -> None:
    """Send the app one GET with this token, and want a 200."""
    statuses = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/items/42",
        "raw_path": b"/v1/items/42",
        "root_path": "",
        "query_string": b"limit=10",
        "headers": [
            (b"host", b"service.example.org:8080"),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"connection", b"keep-alive"),
            (b"user-agent", b"benchmark/1"),
            # New bytes, as a server makes for each request: their hash is not known yet.
            (b"x-auth-token", token.encode()),
        ],
        "client": ("192.0.2.7", 51000),
        "server": ("service.example.org", 8080),
        "state": {},
    }
    await app(scope, receive, send)
    if statuses != [200]:
        raise CannotMeasure(f"a request was answered with {statuses}")


def _steps_of(make: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Return a function that runs a coroutine which waits for nothing, without an event loop."""

    def run_through() -> None:
        coroutine = make()
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise CannotMeasure("a request waited for something")

    return run_through

"""Concurrent requests with one new token cause one validation."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import authmw
from authmw.testing import IdentityServer
from tests.support.processes import ServerProcess, find_free_port, is_answering
from tests.support.programs import ROOT
from tests.support.wsgi_server import Gunicorn, serve_paste_file
from tests.system.servers.crowd import Crowd
from tests.system.servers.paste_files import write_paste_file
from tests.system.servers.wire import send

THREADS = 32
GREENLETS = 20


@pytest.fixture
def identity() -> Iterator[IdentityServer]:
    """It counts what it is asked; while its lock is held it answers nobody."""
    with IdentityServer() as server:
        yield server


def ask_at_once(
    identity: IdentityServer, ask: Callable[[str], tuple[int, str | None]], count: int
) -> None:
    """Send many requests with one new token, while the answer about it takes its time.

    Args:
        identity: whom the filter asks.
        ask: sends one request with a token; returns status and the user the service saw.
        count: of requests.
    """
    member = identity.validate(identity.issue("member", project="inventory"))["user"]
    # The filter has logged in by the time it counts.
    assert ask(identity.issue("member", project="inventory"))[0] == 200
    for kind, token, expected in (
        ("good", identity.issue("member", project="inventory"), (200, member["id"])),  # type: ignore[index]
        ("bad", "made-up", (401, None)),
    ):
        identity.forget_requests()
        with identity.lock:
            crowd = Crowd([partial(ask, token) for _ in range(count)])
            give_up_at = time.monotonic() + 30
            while not identity.calls["validate"]:
                assert time.monotonic() < give_up_at, "nobody asked"
                time.sleep(0.01)
            # Time for the others to come as well. Who comes later finds the token in memory,
            # so that the count of good ones is right in any case.
            time.sleep(0.5)
        assert crowd.results() == [expected] * count, kind
        if kind == "good":
            assert identity.calls["validate"] == 1
        else:
            # NegativeCache are not remembered: who comes after the landing asks again.
            assert 1 <= identity.calls["validate"] < count


def ask_over_http(port: int, token: str) -> tuple[int, str | None]:
    answer = send(port, "strict", [f"X-Auth-Token: {token}"])
    seen = answer.seen.headers if answer.status == 200 else {}
    return answer.status, seen.get("HTTP_X_USER_ID")


def test_thirty_two_threads_in_one_process(identity: IdentityServer) -> None:
    def service(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["HTTP_X_USER_ID"].encode()]

    middleware = authmw.filter_factory({}, **identity.service_credentials)(service)

    def ask(token: str) -> tuple[int, str | None]:
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "HTTP_X_AUTH_TOKEN": token,
        }
        body = b"".join(middleware(environ, lambda status, *_: statuses.append(status)))
        status = int(statuses[0].split()[0])
        return status, body.decode() if status == 200 else None

    ask_at_once(identity, ask, THREADS)


@pytest.fixture
def serve(identity: IdentityServer, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Serve a filter in front of the service on gunicorn; returns the port."""
    started: list[ServerProcess] = []

    def start(*, threads: int = 1, more: str = "") -> int:
        server: Gunicorn = serve_paste_file(
            write_paste_file(tmp_path / "paste.ini", {"strict": identity.service_credentials}),
            threads=threads,
            environ={"GUNICORN_CMD_ARGS": more},
        )
        started.append(server)
        server.start()
        return server.port

    yield start
    for server in started:
        server.stop()


def test_thirty_two_threads_of_a_gunicorn_worker(
    identity: IdentityServer, serve: Callable[..., int]
) -> None:
    ask_at_once(identity, partial(ask_over_http, serve(threads=THREADS)), THREADS)


def test_greenlets_of_gevent(identity: IdentityServer, serve: Callable[..., int]) -> None:
    port = serve(more="--worker-class=gevent")
    ask_at_once(identity, partial(ask_over_http, port), GREENLETS)


def test_greenlets_of_eventlet(identity: IdentityServer, tmp_path: Path) -> None:
    paste_file = write_paste_file(tmp_path / "paste.ini", {"strict": identity.service_credentials})
    port = find_free_port()
    server = ServerProcess(
        [sys.executable, "-m", "tests.system.servers.eventlet_server", str(paste_file), str(port)],
        is_ready=lambda: is_answering(f"http://127.0.0.1:{port}"),
        log=tmp_path / "eventlet.log",
        working_directory=ROOT,
    )
    server.start()
    try:
        ask_at_once(identity, partial(ask_over_http, port), GREENLETS)
    finally:
        server.stop()

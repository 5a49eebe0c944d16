"""A wrong option stops the server's start; where it can't, nobody gets in, and nothing is a 500."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import authmw
import authmw.asgi
from authmw.asgi.interface import AsgiApp
from tests.support.waiting import wait_for
from tests.system.asgi.conftest import connect, get
from tests.system.asgi.test_frameworks import DENIAL, make_fastapi, make_websockets

ACME = "issuer.acme.issuer"
MISTAKES: dict[str, dict[str, Any]] = {
    "no file": {"config_file": "/nowhere/inventory.conf"},
    "profile": {"conf": {ACME: "http://127.0.0.1:1", "issuer.acme.profile": "acme"}},
    "issuer option": {"conf": {ACME: "http://127.0.0.1:1", "issuer.acme.audiance": "x"}},
    "no option": {"conf": {"auth_type": "password", "auth_url": "http://127.0.0.1:1"}},
    "misspelt": {"config_fiel": "inventory.conf"},
    "file and object": {"config_file": "x", "config": object()},
}
SAYS = {
    "no file": "config_file = '/nowhere/inventory.conf'",
    "profile": "[authmw_issuer:acme] profile = 'acme'",
    "issuer option": "[authmw_issuer:acme] audience",
    "no option": "[keystone_authtoken]",
    "misspelt": "config_fiel",
    "file and object": "not both",
}


def add_to(make: Callable[[], Starlette], mistake: str) -> Starlette:
    app = make()
    app.add_middleware(authmw.asgi.AuthMiddleware, **MISTAKES[mistake])
    return app


@pytest.mark.parametrize("mistake", MISTAKES)
def test_lifespan_fails_with_what_is_wrong(mistake: str) -> None:
    app = add_to(make_fastapi, mistake)
    with pytest.raises((authmw.ConfigurationError, TypeError)) as raised, TestClient(app):
        pass  # it never starts
    assert SAYS[mistake] in str(raised.value)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_without_a_lifespan_all_requests_get_503(
    mistake: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = add_to(make_fastapi, mistake)
    for path in ("/dependency", "/docs", "/nowhere"):
        answer = get(app, path, {"X-Roles": "admin"})
        assert (answer.status, answer.json["error"]["code"]) == (503, 503)
        assert answer.headers["retry-after"] == "60"
    assert get(app, "/", method="HEAD").body == b""
    (logged,) = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert SAYS[mistake] in logged.getMessage()
    assert logged.exc_info is None


def test_websockets_get_503_as_well() -> None:
    app = add_to(make_websockets, "no file")
    assert connect(app, "/open") == [{"type": "websocket.close", "code": 1013, "reason": ""}]
    start, _body = connect(app, "/open", **DENIAL)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 503)


def test_starlette_with_a_list_of_middleware() -> None:
    options = MISTAKES["no file"]
    middleware = [Middleware(authmw.asgi.AuthMiddleware, **options)]
    assert get(Starlette(middleware=middleware), "/").status == 503
    mounted = Starlette(routes=[Mount("/sub", Starlette(middleware=middleware))])
    assert get(mounted, "/sub/").status == 503
    # Built at once: the caller sees it.
    with pytest.raises(authmw.ConfigurationError):
        Route("/", make_fastapi(), middleware=middleware)
    with pytest.raises(authmw.ConfigurationError):
        authmw.asgi.AuthMiddleware(make_fastapi(), **options)


def test_secret_is_in_no_message(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    conf = {"auth_type": "password", "password": "s3cret", "memcache_security_strategy": "x"}
    app.add_middleware(authmw.asgi.AuthMiddleware, conf)
    assert get(app, "/").status == 503
    assert caplog.records
    assert "s3cret" not in caplog.text


def test_fault_that_is_no_mistake_is_logged_with_its_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(dict[str, Any]):
        def __bool__(self) -> bool:
            raise RuntimeError("broken")

    app = FastAPI()
    app.add_middleware(authmw.asgi.AuthMiddleware, Broken())
    assert get(app, "/").status == 503
    assert "RuntimeError" in caplog.text
    with pytest.raises(RuntimeError), TestClient(app):
        pass  # it never starts


def test_what_the_middleware_itself_says(monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = add_to(make_fastapi, "no file")
    get(app, "/")
    stack: AsgiApp | None = app.middleware_stack
    while not isinstance(stack, authmw.asgi.AuthMiddleware):
        stack = stack.app  # type: ignore[union-attr]
    assert stack.stats() == {}
    assert "config_file" in stack.find_troubles(0.0)[0]
    stack.close()


SERVICE = """
import authmw.asgi
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def root(): return "in"
app.add_middleware(authmw.asgi.AuthMiddleware, config_file="/nowhere/inventory.conf")
"""


def serve(directory: Path, lifespan: str, port: int) -> subprocess.Popen[str]:
    (directory / "service.py").write_text(SERVICE)
    command = [sys.executable, "-m", "uvicorn", "service:app", "--lifespan", lifespan]
    return subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.heavy
@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_uvicorn_does_not_start(tmp_path: Path, lifespan: str) -> None:
    server = serve(tmp_path, lifespan, find_port())
    try:
        told, _ = server.communicate(timeout=60)
    finally:
        server.kill()
    assert server.returncode != 0
    assert told.count("config_file = '/nowhere/inventory.conf'") == 1
    assert "Application startup failed" in told
    assert "Traceback" not in told


@pytest.mark.heavy
def test_uvicorn_without_a_lifespan_answers_503(tmp_path: Path) -> None:
    port = find_port()
    server = serve(tmp_path, "off", port)

    def ask() -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return b"".join(iter(lambda: client.recv(65536), b""))
        except OSError:
            return b""

    try:
        assert wait_for(ask, 60)
        answer = ask()
    finally:
        server.terminate()
        told, _ = server.communicate(timeout=60)
    assert answer.startswith(b"HTTP/1.1 503")
    assert told.count("config_file = '/nowhere/inventory.conf'") == 1
    assert "Traceback" not in told


def test_fastapi_that_builds_its_middleware_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where its telemetry is on, which is the process's to say."""
    app: Any = add_to(make_fastapi, "no file")
    monkeypatch.setattr(type(app._native_telemetry), "enabled", lambda _self: True)
    assert get(app, "/dependency").status == 503

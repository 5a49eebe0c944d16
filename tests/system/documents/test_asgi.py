"""The worked examples of doc/asgi.rst, file by file."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.support.waiting import wait_for
from tests.system.documents.documents import read_blocks, write_files

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}

# What uvicorn and a client of websockets would find, in a process of its own.
TRY = """
import asyncio, json, sys
from tests.system.asgi.conftest import connect, get
sys.path.insert(0, ".")
import authmw.asgi, main, rooms
member, reader = sys.argv[1:3]
protected = authmw.asgi.AuthMiddleware(rooms.app, config_file="inventory.conf")
print(json.dumps({
    "added": get(main.app, "/items", {"X-Auth-Token": member}, method="POST").json,
    "nobody": get(main.app, "/items").status,
    "forged": get(main.app, "/items", {"X-Roles": "admin"}).status,
    "who": get(protected, "/who", {"X-Auth-Token": reader}).json,
    "talk": [m["type"] for m in connect(protected, "/talk", {"X-Auth-Token": member})],
    "silence": [m["type"] for m in connect(protected, "/talk", {"X-Auth-Token": reader})],
    "health": get(main.app, "/health").status,
}))
"""


def test_the_examples_do_what_they_say(tmp_path: Path) -> None:
    blocks = read_blocks("asgi.rst")
    written = write_files(blocks, tmp_path)
    assert written == [
        "inventory.py",
        "main.py",
        "log.json",
        "test_inventory.py",
        "rooms.py",
        "test_rooms.py",
    ]
    (console,) = [block for block in blocks if block.text.startswith("$ python -m pytest")]
    tested = run(tmp_path, "-m", "pytest", "-q", "test_inventory.py")
    assert console.text.splitlines()[1] in tested
    assert "2 passed" in run(tmp_path, "-m", "pytest", "-q", "test_rooms.py")
    with IdentityServer() as server:
        configure(tmp_path, server)
        tokens = [server.issue(user, project="inventory") for user in ("member", "reader")]
        told = run(tmp_path, "-c", TRY, *tokens)
    assert told.splitlines()[-1] == (
        '{"added": ["added by member"], "nobody": 401, "forged": 401, "who": {"user": "reader"},'
        ' "talk": ["websocket.accept", "websocket.send", "websocket.close"],'
        ' "silence": ["websocket.close"], "health": 200}'
    )


def test_uvicorn_shows_what_log_json_asks_for(tmp_path: Path) -> None:
    write_files(read_blocks("asgi.rst"), tmp_path)
    with IdentityServer() as server:
        configure(tmp_path, server)
        told = serve(tmp_path, "--log-config", "log.json")
        silent = serve(tmp_path)
        with (tmp_path / "inventory.conf").open("a") as file:
            file.write("log_refusals = warning\n")
        warned = serve(tmp_path)
    assert "INFO authmw.build" in told
    assert "INFO uvicorn.access" in told
    refusal = re.compile(r"user token \S+ is not acceptable")
    assert refusal.search(told)
    assert refusal.search(warned)
    assert not refusal.search(silent)


def configure(directory: Path, server: IdentityServer) -> None:
    options = "".join(f"{name} = {value}\n" for name, value in server.service_credentials.items())
    (directory / "inventory.conf").write_text(f"[keystone_authtoken]\n{options}")


def serve(directory: Path, *options: str) -> str:
    """Let uvicorn serve one request with a made-up token; returns its log."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port), *options],
        cwd=directory,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert wait_for(lambda: answers(port), 60)
    finally:
        server.terminate()
        told, _ = server.communicate(timeout=60)
    return told


def answers(port: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        client.request("GET", "/items", headers={"X-Auth-Token": "made-up"})
        return client.getresponse().status == 401
    except OSError:
        return False
    finally:
        client.close()


def run(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

"""The worked examples of doc/asgi.rst, file by file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from authmw.testing import IdentityServer
from tests.system.documents.documents import read_blocks, write_files

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
}))
"""


def test_the_examples_do_what_they_say(tmp_path: Path) -> None:
    blocks = read_blocks("asgi.rst")
    written = write_files(blocks, tmp_path)
    assert written == ["inventory.py", "main.py", "test_inventory.py", "rooms.py"]
    (console,) = [block for block in blocks if block.text.startswith("$ python -m pytest")]
    tested = run(tmp_path, "-m", "pytest", "-q", "test_inventory.py")
    assert console.text.splitlines()[1] in tested
    with IdentityServer() as server:
        options = "".join(
            f"{name} = {value}\n" for name, value in server.service_credentials.items()
        )
        (tmp_path / "inventory.conf").write_text(f"[keystone_authtoken]\n{options}")
        tokens = [server.issue(user, project="inventory") for user in ("member", "reader")]
        told = run(tmp_path, "-c", TRY, *tokens)
    assert told.splitlines()[-1] == (
        '{"added": ["added by member"], "nobody": 401, "forged": 401, "who": {"user": "reader"},'
        ' "talk": ["websocket.accept", "websocket.send", "websocket.close"],'
        ' "silence": ["websocket.close"]}'
    )


def run(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

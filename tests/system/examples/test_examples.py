"""Each file of examples/ as a newcomer runs it: a process, gunicorn, real HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from authmw.testing import IdentityServer
from tests.support.programs import ROOT

EXAMPLES = ROOT / "examples"
OF_UVICORN = ("fastapi_app",)
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


@contextmanager
def served(example: str, server: IdentityServer, directory: Path) -> Iterator[str]:
    """Serve an example with gunicorn, or uvicorn; yield the address of its items."""
    config = directory / "inventory.conf"
    options = "\n".join(f"{name} = {value}" for name, value in server.service_credentials.items())
    config.write_text(f"[keystone_authtoken]\n{options}\n")
    log = directory / "gunicorn.log"
    # Open already, so requests wait while gunicorn starts.
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        bind = f"fd://{listener.fileno()}"
        arguments = ["-m", "gunicorn", "--bind", bind, "--threads", "2", "--no-control-socket"]
        if example in OF_UVICORN:
            arguments = ["-m", "uvicorn", "--fd", str(listener.fileno())]
        gunicorn = subprocess.Popen(
            [sys.executable, "-W", "ignore", *arguments, f"{example}:app"],
            cwd=EXAMPLES,
            env={**os.environ, "AUTHMW_CONFIG": str(config), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/items"
        except BaseException:
            print(log.read_text())  # noqa: T201 - pytest shows it with the failure
            raise
        finally:
            gunicorn.send_signal(signal.SIGTERM)
            try:
                gunicorn.wait(10)
            except subprocess.TimeoutExpired:
                gunicorn.kill()
                gunicorn.wait(10)


@pytest.mark.parametrize("example", NAMES)
def test_readers_list_members_add_and_nobody_else_gets_in(
    example: str, server: IdentityServer, tmp_path: Path
) -> None:
    member, reader, system, elsewhere = (
        {"X-Auth-Token": token}
        for token in (
            server.issue("member", project="inventory"),
            server.issue("reader", project="inventory"),
            server.issue("reader", system=True),
            server.issue("guest", project="research"),
        )
    )
    with served(example, server, tmp_path) as items, requests.Session() as session:
        nobody = session.get(items, timeout=30)
        added = session.post(items, headers=member, timeout=30)
        listed = session.get(items, headers=reader, timeout=30)
        refused = session.post(items, headers=reader, timeout=30)
        unscoped = session.get(items, headers=system, timeout=30)
        others = session.get(items, headers=elsewhere, timeout=30)
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"]) == (
        401,
        f'Keystone uri="{server.url}"',
    )
    assert (added.status_code, added.json()) == (201, ["added by member"])
    assert (listed.status_code, listed.json()) == (200, ["added by member"])
    assert (refused.status_code, unscoped.status_code) == (403, 403)
    assert "member" in refused.text
    assert (others.status_code, others.json()) == (200, [])


def test_every_example_is_in_the_list() -> None:
    listed = (EXAMPLES / "README.rst").read_text()
    assert [name for name in NAMES if f"``{name}.py``" not in listed] == []
    assert len(NAMES) == 7

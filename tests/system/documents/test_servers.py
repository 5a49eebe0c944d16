"""doc/servers.rst: each server is started as it says, and has the filter in front of the app."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.system.documents.documents import Block, read_blocks
from tests.system.documents.shell import (
    Shell,
    free_port,
    open_shell,
    split_console,
    wait_until_ready,
)

pytestmark = pytest.mark.heavy

_PORT = "8080"
APP = """\
import authmw

OPTIONS = {"auth_type": "none", "endpoint": "http://127.0.0.1:9"}

def hello(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]

def app_factory(global_conf):
    return hello

app = authmw.AuthMiddleware(hello, {"public_paths": ["/public"], **OPTIONS})
"""
PASTE = """\
[pipeline:main]
pipeline = authtoken hello
[filter:authtoken]
paste.filter_factory = authmw:filter_factory
auth_type = none
endpoint = http://127.0.0.1:9
public_paths = /public
[app:hello]
paste.app_factory = inventory:app_factory
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    programs = {
        "gunicorn": "-m gunicorn",
        "uwsgi": "-c 'import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])'",
    }
    with open_shell(tmp_path, programs) as opened:
        (opened.directory / "inventory.py").write_text(APP)
        (opened.directory / "inventory.ini").write_text(PASTE)
        yield opened


def blocks_of(language: str) -> list[Block]:
    return [block for block in read_blocks("servers.rst") if block.language == language]


def serve(shell: Shell, command: str, port: str) -> list[int]:
    """Start a server; returns the statuses of a path for everyone and of another one."""
    shell.start(f"{command} &")
    wait_until_ready(shell, command, port)
    statuses = [ask(f"http://127.0.0.1:{port}{path}") for path in ("/public", "/")]
    shell.end()
    shell.running.clear()
    return statuses


def ask(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_gunicorn(shell: Shell) -> None:
    (block,) = blocks_of("console")
    commands = [command for command, _ in split_console(block)]
    assert len(commands) == 2
    for command in commands:
        port = free_port()
        assert serve(shell, command.replace(_PORT, port), port) == [200, 401]


def test_uwsgi(shell: Shell) -> None:
    pytest.importorskip("pyuwsgi", reason="there is no wheel of pyuwsgi<2.0.27 for this Python")
    (block,) = blocks_of("ini")
    port = free_port()
    # SIGTERM would have it load the app anew; the modules of this repository are not installed.
    more = f"need-app = true\ndie-on-term = true\npythonpath = {ROOT}\n"
    (shell.directory / "uwsgi.ini").write_text(block.text.replace(_PORT, port) + more)
    assert serve(shell, "uwsgi --ini uwsgi.ini", port) == [200, 401]


def test_directives_of_mod_wsgi_are_those_that_apache_is_tried_with() -> None:
    (block,) = blocks_of("apache")
    tried = (ROOT / "tests" / "support" / "apache.py").read_text()
    for line in block.text.splitlines():
        assert f"\n{line.split()[0]} " in tried

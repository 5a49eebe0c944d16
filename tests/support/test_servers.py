"""The servers of `tests/support` start, stop and freeze when told, or say why not."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from pymemcache.client.base import Client

from tests.support.memcached import Memcached
from tests.support.processes import (
    ServerDidNotStart,
    ServerProcess,
    find_free_port,
    is_answering,
    is_listening,
)
from tests.support.wsgi_server import serve_paste_file

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def make_greeting(global_conf: dict[str, str], *, greeting: str) -> WSGIApplication:
    """A paste app factory."""

    def greet(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{greeting} multiprocess={environ['wsgi.multiprocess']}".encode()]

    return greet


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("workers", "threads", "preload"), [(1, 1, False), (2, 4, False), (2, 4, True)]
)
def test_a_paste_file_is_served_by_gunicorn(
    tmp_path: Path,
    workers: int,
    threads: int,
    preload: bool,  # noqa: FBT001
) -> None:
    paste_file = tmp_path / "greeting.ini"
    paste_file.write_text(
        "[app:main]\n"
        "paste.app_factory = tests.support.test_servers:make_greeting\n"
        "greeting = hello\n"
    )
    server = serve_paste_file(paste_file, workers=workers, threads=threads, preload=preload)
    server.start()
    try:
        answer = requests.get(server.url, timeout=5)
        assert answer.text == f"hello multiprocess={workers > 1}"
    finally:
        server.stop()
    assert not is_listening(server.port)


@pytest.mark.heavy
def test_a_server_that_dies_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    server = ServerProcess(
        [sys.executable, "-c", "raise SystemExit('no such table')"],
        is_ready=lambda: False,
        log=tmp_path / "server.log",
    )
    with pytest.raises(ServerDidNotStart, match=r"with 1; the end of its log:\nno such table"):
        server.start()


@pytest.mark.heavy
def test_a_server_that_never_answers_is_ended_at_its_deadline(tmp_path: Path) -> None:
    port = find_free_port()
    server = ServerProcess(
        [sys.executable, "-c", "print('starting', flush=True); import time; time.sleep(60)"],
        is_ready=lambda: is_answering(f"http://127.0.0.1:{port}"),
        log=tmp_path / "server.log",
    )
    with pytest.raises(ServerDidNotStart, match=r"not ready in 1 s; the end of its log:\nstarting"):
        server.start(deadline_seconds=1)
    assert not server.is_running()


def test_memcached_counts_its_entries_and_forgets_them_when_flushed(
    empty_memcached: Memcached,
) -> None:
    client = Client(empty_memcached.address, timeout=5)
    client.set("colour", b"green", noreply=False)
    assert empty_memcached.count_items() == 1

    empty_memcached.flush()

    assert client.get("colour") is None
    client.close()


def test_a_suspended_memcached_is_silent_and_a_stopped_one_refuses(
    empty_memcached: Memcached,
) -> None:
    client = Client(empty_memcached.address, timeout=0.3, connect_timeout=5)
    empty_memcached.suspend()
    with pytest.raises(TimeoutError):
        client.get("colour")
    empty_memcached.resume()
    assert client.get("colour") is None
    client.close()

    empty_memcached.stop()
    with pytest.raises(ConnectionRefusedError):
        client.get("colour")
    empty_memcached.start()
    assert client.get("colour") is None
    client.close()

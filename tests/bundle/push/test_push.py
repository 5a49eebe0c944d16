"""Announcements reach sites through real NATS servers, and nothing depends on them."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from authmw.bundle.push import Announcer, Listener, PushSettings
from tests.support.certificates import Authority
from tests.support.misbehaving import listening
from tests.support.nats import NatsServer, find_nats_server, make_nats_accounts
from tests.support.processes import find_free_port
from tests.support.relay import Link
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(find_nats_server() is None, reason="nats-server is not installed"),
]


class _Site:
    """Counts how often it was woken, and when."""

    def __init__(self) -> None:
        self.woken_at: list[float] = []

    def wake(self) -> None:
        self.woken_at.append(time.monotonic())

    def wait(self, count: int, seconds: float = 10) -> bool:
        return wait_for(lambda: len(self.woken_at) >= count, seconds)


def _settings(url: str, **more: Any) -> PushSettings:
    values = {"timeout_seconds": 2.0, "spread_seconds": 0.1}
    return PushSettings(servers=(url,), **{**values, **more})


@contextlib.contextmanager
def _listening(
    settings: PushSettings, *, min_interval_seconds: float = 0.2
) -> Iterator[tuple[_Site, Listener]]:
    site = _Site()
    listener = Listener(settings, site.wake, min_interval_seconds=min_interval_seconds)
    listener.start()
    try:
        yield site, listener
    finally:
        listener.close()


@contextlib.contextmanager
def _announcing(settings: PushSettings) -> Iterator[Announcer]:
    announcer = Announcer(settings)
    announcer.start()
    try:
        yield announcer
    finally:
        announcer.close()


@pytest.fixture
def started() -> Iterator[Callable[..., NatsServer]]:
    servers: list[NatsServer] = []

    def start(directory: Path, name: str = "centre", **options: Any) -> NatsServer:
        server = NatsServer(directory, name, **options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def centre(tmp_path: Path, started: Callable[..., NatsServer]) -> NatsServer:
    return started(tmp_path)


@pytest.fixture
def link(centre: NatsServer) -> Iterator[Link]:
    """Between the site's leaf node and the centre."""
    link = Link(centre.leaf_port)
    yield link
    link.close()


@pytest.fixture(params=[None, "site"], ids=["leaf without streams", "leaf with streams"])
def leaf(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    started: Callable[..., NatsServer],
    link: Link,
) -> NatsServer:
    return started(
        tmp_path, "leaf", domain=request.param, leaf_of=f"nats-leaf://127.0.0.1:{link.port}"
    )


def _heard(listener: Listener, seconds: float = 10) -> bool:
    return wait_for(lambda: listener.failure is None, seconds)


def test_announcement_reaches_a_site_through_its_leaf_node(
    centre: NatsServer, leaf: NatsServer
) -> None:
    with (
        _announcing(_settings(centre.url)) as announcer,
        _listening(_settings(leaf.url, domain="centre", check_seconds=60)) as (site, listener),
    ):
        announcer.announce(1)
        assert announcer.wait(10)
        assert _heard(listener)
        assert site.wait(1)
        time.sleep(0.5)
        before = len(site.woken_at)
        began = time.monotonic()
        announcer.announce(2)
        assert site.wait(before + 1)
        assert site.woken_at[-1] - began < 2


def test_announcement_during_a_cut_is_heard_after_it(
    centre: NatsServer, leaf: NatsServer, link: Link, caplog: pytest.LogCaptureFixture
) -> None:
    settings = _settings(leaf.url, domain="centre", check_seconds=1)
    with _announcing(_settings(centre.url)) as announcer, _listening(settings) as (site, listener):
        announcer.announce(1)
        assert announcer.wait(10)
        assert site.wait(1)
        assert _heard(listener)
        time.sleep(0.5)
        link.cut()
        assert wait_for(lambda: listener.failure is not None)
        before = len(site.woken_at)
        announcer.announce(2)
        assert announcer.wait(10)
        time.sleep(1)
        assert len(site.woken_at) == before
        link.heal()
        assert site.wait(before + 1)
        assert wait_for(lambda: listener.failure is None)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) <= 4, warnings


def test_site_that_starts_later_hears_the_last_announcement_once(centre: NatsServer) -> None:
    with _announcing(_settings(centre.url)) as announcer:
        for revision in range(3):
            announcer.announce(revision)
        assert announcer.wait(10)
    with _listening(_settings(centre.url, check_seconds=1)) as (site, listener):
        assert site.wait(1)
        time.sleep(2.5)
        assert len(site.woken_at) == 1
        assert listener.failure is None


def test_without_nats_nothing_waits_and_the_log_says_so_once(
    tmp_path: Path, started: Callable[..., NatsServer], caplog: pytest.LogCaptureFixture
) -> None:
    url = f"nats://127.0.0.1:{find_free_port()}"
    with _announcing(_settings(url)) as announcer, _listening(_settings(url)) as (site, _):
        began = time.monotonic()
        announcer.announce(1)
        assert time.monotonic() - began < 0.1
        assert not announcer.wait(3)
        assert not site.woken_at
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([text for text in said if "sites notice at their next poll" in text]) == 1
    assert len([text for text in said if "polling goes on" in text]) == 1
    assert len(said) == 2


def test_newest_announcement_waits_for_nats(
    centre: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    centre.stop()
    with _announcing(_settings(centre.url)) as announcer:
        announcer.announce(1)
        announcer.announce(2)
        assert not announcer.wait(1)
        centre.start()
        assert announcer.wait(10)
        with _listening(_settings(centre.url)) as (site, _):
            assert site.wait(1)
    assert "all is well again" in caplog.text


def test_server_that_restarts_is_connected_to_again(centre: NatsServer) -> None:
    settings = _settings(centre.url, check_seconds=1)
    with _announcing(_settings(centre.url)) as announcer, _listening(settings) as (site, listener):
        announcer.announce(1)
        assert site.wait(1)
        centre.stop()
        assert wait_for(lambda: listener.failure is not None)
        centre.start()
        assert _heard(listener)
        before = len(site.woken_at)
        announcer.announce(2)
        assert site.wait(before + 1)


def test_server_that_hangs_costs_its_time_out(centre: NatsServer) -> None:
    centre.suspend()
    with _announcing(_settings(centre.url)) as announcer:
        announcer.announce(1)
        assert wait_for(lambda: announcer.failure is not None)
        centre.resume()
        assert announcer.wait(10)


def test_flood_makes_one_synchronization_in_each_interval(centre: NatsServer) -> None:
    settings = _settings(centre.url)
    with (
        _announcing(settings) as announcer,
        _listening(settings, min_interval_seconds=0.5) as (site, listener),
    ):
        announcer.announce(0)
        assert announcer.wait(10)
        assert _heard(listener)
        began = time.monotonic()
        _flood(centre.port, settings.subject, count=50_000)
        # The library drops what is too much, and goes on.
        announcer.announce(1)
        assert announcer.wait(20)
        time.sleep(1.5)
        took = time.monotonic() - began
    between = [
        later - earlier for earlier, later in zip(site.woken_at, site.woken_at[1:], strict=False)
    ]
    assert min(between) > 0.45
    assert len(site.woken_at) <= took / 0.5 + 2


def _flood(port: int, subject: str, count: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as flooder:
        flooder.sendall(b'CONNECT {"verbose":false}\r\n')
        block = f"PUB {subject} 4\r\nnews\r\n".encode() * 1000
        for _ in range(count // 1000):
            flooder.sendall(block)
        flooder.sendall(b"PING\r\n")
        received = b""
        while b"PONG" not in received:
            received = received[-10:] + flooder.recv(65536)


def test_any_message_is_a_hint_and_no_more(centre: NatsServer) -> None:
    with _listening(_settings(centre.url)) as (site, listener):
        with _announcing(_settings(centre.url)) as announcer:
            announcer.announce(1)
            assert announcer.wait(10)
        assert _heard(listener)
        assert site.wait(1)
        for body in (b"", b"\x00\xff", b'{"revision": -1}', b"x" * 900):
            time.sleep(0.5)
            before = len(site.woken_at)
            with socket.create_connection(("127.0.0.1", centre.port), timeout=5) as other:
                other.sendall(
                    b"CONNECT {}\r\nPUB authmw.bundle.heads %d\r\n%b\r\nPING\r\n"
                    % (len(body), body)
                )
                assert site.wait(before + 1)


def test_endless_message_ends_the_connection() -> None:
    received = threading.Event()

    def serve(client: socket.socket) -> None:
        client.sendall(b'INFO {"server_id":"x","max_payload":1048576,"headers":true}\r\n')
        said = b""
        while b"SUB" not in said:
            if b"PING" in said:
                client.sendall(b"PONG\r\n")
                said = b""
            said += client.recv(65536)
        received.set()
        client.sendall(b"PONG\r\nMSG authmw.bundle.heads 1 999999999999\r\n")
        while True:
            client.sendall(b"x" * 65536)

    with listening(serve) as listener:
        port = listener.getsockname()[1]
        with _listening(_settings(f"nats://127.0.0.1:{port}")) as (site, heard):
            assert received.wait(5)
            assert wait_for(lambda: "closed the connection" in (heard.failure or ""), 5)
            assert not site.woken_at


def test_words_of_a_hostile_server_forge_no_line(caplog: pytest.LogCaptureFixture) -> None:
    def serve(client: socket.socket) -> None:
        client.sendall(b'INFO {"server_id":"x","max_payload":1048576,"headers":true}\r\n')
        client.recv(65536)
        client.sendall(b"-ERR 'no \x1b[2J\x0b\x07" + b"x" * 5000 + b"'\r\n")
        time.sleep(0.2)

    caplog.set_level(logging.WARNING)
    with listening(serve) as listener:
        port = listener.getsockname()[1]
        with _listening(_settings(f"nats://127.0.0.1:{port}")) as (_, heard):
            assert wait_for(lambda: "xxx" in (heard.failure or ""), 5)
            failure = heard.failure or ""
    for text in (failure, *(record.getMessage() for record in caplog.records)):
        assert text.isprintable()
        assert len(text) < 600


# TLS and credentials


def _secret(directory: Path) -> Path:
    path = directory / "secret"
    path.write_text("s3cret\n")
    return path


def test_tls_is_kept_to_and_no_secret_sent_without_it(tmp_path: Path) -> None:
    """Somebody between removes the request for TLS from the server's greeting."""
    said: list[bytes] = []

    def serve(client: socket.socket) -> None:
        client.sendall(b'INFO {"server_id":"x","max_payload":1024,"auth_required":true}\r\n')
        client.settimeout(2)
        said.append(client.recv(65536))

    with listening(serve) as listener:
        settings = _settings(
            f"tls://127.0.0.1:{listener.getsockname()[1]}", token_file=_secret(tmp_path)
        )
        with _listening(settings) as (_, heard):
            assert wait_for(lambda: "does not ask for TLS" in (heard.failure or ""), 5)
            assert wait_for(lambda: said, 5)
    assert set(said) == {b""}


@pytest.fixture
def secure(tmp_path: Path, started: Callable[..., NatsServer]) -> tuple[NatsServer, Authority]:
    authority = Authority(tmp_path, "nats")
    authority.server_context("localhost")
    files = str(tmp_path / "nats-localhost.pem")
    server = started(
        tmp_path,
        options={
            "tls": {"cert_file": files, "key_file": files},
            "authorization": {"users": [{"user": "site", "password": "s3cret"}]},
        },
    )
    return server, authority


def test_tls_and_password(secure: tuple[NatsServer, Authority], tmp_path: Path) -> None:
    server, authority = secure
    options = {
        "cafile": authority.cafile,
        "user": "site",
        "password_file": _secret(tmp_path),
    }
    settings = _settings(f"tls://localhost:{server.port}", **options)
    with _announcing(settings) as announcer, _listening(settings) as (site, _):
        announcer.announce(1)
        assert announcer.wait(10)
        assert site.wait(1)


@pytest.mark.parametrize(
    ("options", "failure"),
    [
        ({"cafile": None}, "certificate verify failed"),
        ({"user": "other"}, "authorization"),
        ({"user": None, "password_file": None}, "authorization"),
    ],
    ids=["unknown authority", "wrong user", "no user"],
)
def test_refusal_is_named_without_secrets(
    options: dict[str, Any],
    failure: str,
    secure: tuple[NatsServer, Authority],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, authority = secure
    good = {"cafile": authority.cafile, "user": "site", "password_file": _secret(tmp_path)}
    settings = _settings(f"tls://localhost:{server.port}", **{**good, **options})
    with _listening(settings) as (_, listener):
        assert wait_for(lambda: failure in (listener.failure or "").lower(), 5), listener.failure
    assert "s3cret" not in caplog.text


def test_name_in_the_certificate_is_verified(
    secure: tuple[NatsServer, Authority], tmp_path: Path
) -> None:
    server, authority = secure
    settings = _settings(f"tls://127.0.0.1:{server.port}", cafile=authority.cafile)
    with _listening(settings) as (_, listener):
        assert wait_for(lambda: "certificate" in (listener.failure or ""), 5), listener.failure


def test_permission_that_is_missing_is_named(
    tmp_path: Path, started: Callable[..., NatsServer]
) -> None:
    site = {"user": "site", "password": "s3cret", "permissions": {"subscribe": "other"}}
    server = started(tmp_path, options={"authorization": {"users": [site]}})
    settings = _settings(server.url, user="site", password_file=_secret(tmp_path))
    with _listening(settings) as (_, listener):
        assert wait_for(lambda: "permissions" in (listener.failure or "").lower(), 10), (
            listener.failure
        )


def test_credentials_file_proves_who_we_are(
    tmp_path: Path, started: Callable[..., NatsServer]
) -> None:
    made = make_nats_accounts(tmp_path)
    server = started(tmp_path, options=made.server_options)
    settings = _settings(server.url, credentials_file=made.credentials_file)
    with _announcing(settings) as announcer, _listening(settings) as (site, listener):
        announcer.announce(1)
        assert announcer.wait(10), announcer.failure
        assert site.wait(1)
        assert _heard(listener)
    with _listening(_settings(server.url)) as (_, listener):
        assert wait_for(lambda: "authorization" in (listener.failure or "").lower(), 5)

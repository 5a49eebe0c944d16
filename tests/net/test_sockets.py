"""Sockets and connections that end with their deadline."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authmw.errors import DeadlineExceeded
from authmw.net.addresses import TcpAddress, UnixAddress
from authmw.net.deadline import bounded, deadline, remaining_seconds
from authmw.net.sockets import DeadlineSocket, connect
from authmw.net.tls import make_tls_context
from tests.support.certificates import Authority

SILENT = 0.2


@pytest.fixture
def pair() -> Iterator[tuple[DeadlineSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield DeadlineSocket(ours, 60), theirs


Receive = Callable[[DeadlineSocket], object]
RECEIVE: dict[str, Receive] = {
    "recv": lambda connected: connected.recv(10),
    "recv_into": lambda connected: connected.recv_into(bytearray(10)),
    "file": lambda connected: connected.makefile("rb").read(10),
}


@pytest.mark.parametrize("way", RECEIVE)
def test_receiving_ends_with_the_deadline_of_the_context(
    pair: tuple[DeadlineSocket, socket.socket], way: str
) -> None:
    with pytest.raises(DeadlineExceeded), deadline(SILENT):
        RECEIVE[way](pair[0])


@pytest.mark.parametrize("way", RECEIVE)
def test_receiving_ends_with_the_deadline_of_the_socket(
    pair: tuple[DeadlineSocket, socket.socket], way: str
) -> None:
    pair[0].ends_at = time.monotonic() + SILENT
    with pytest.raises(DeadlineExceeded), deadline(60):
        RECEIVE[way](pair[0])


def test_time_out_of_one_operation_is_not_the_deadline(
    pair: tuple[DeadlineSocket, socket.socket],
) -> None:
    pair[0].settimeout(SILENT)
    with pytest.raises(TimeoutError), deadline(60):
        pair[0].recv(10)


def test_sending_ends_with_the_deadline(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    with pytest.raises(DeadlineExceeded), deadline(SILENT):
        pair[0].sendall(b"x" * 100_000_000)


def test_nothing_is_sent_past_the_deadline(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    with pytest.raises(DeadlineExceeded), deadline(0):
        pair[0].sendall(b"x")
    pair[1].settimeout(0)
    with pytest.raises(BlockingIOError):
        pair[1].recv(1)


def test_step_gets_the_smaller_of_its_time_out_and_the_deadline() -> None:
    assert bounded(5) == 5
    assert remaining_seconds() == float("inf")
    with deadline(60):
        assert bounded(5) == 5
        assert 50 < bounded(100) <= 60
        with deadline(0), pytest.raises(DeadlineExceeded):
            bounded(5)


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port where no connection is accepted or refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with contextlib.ExitStack() as waiting:
            for _ in range(4):
                caller = waiting.enter_context(socket.socket())
                caller.settimeout(0)
                caller.connect_ex(("127.0.0.1", port))
            yield port


def resolve_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)


SERVER = TcpAddress("server.example", 80)


def test_address_that_never_answers_leaves_time_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with full_backlog() as silent, socket.create_server(("127.0.0.1", 0)) as listener:
        resolve_to(monkeypatch, silent, listener.getsockname()[1])
        began = time.monotonic()
        connect(SERVER, 60, began + 2).close()
        assert 0.5 < time.monotonic() - began < 2


def test_deadline_is_for_all_addresses_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_backlog() as silent:
        resolve_to(monkeypatch, silent, silent, silent)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded), deadline(0.6):
            connect(SERVER, 60)
        assert time.monotonic() - began < 2


def test_refusal_of_the_last_address_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    resolve_to(monkeypatch, port, port)
    with pytest.raises(ConnectionRefusedError):
        connect(SERVER, 60)


def test_unix_socket_is_connected_to(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        connected = connect(UnixAddress(path), 60)
        accepted, _ = listener.accept()
        with accepted:
            connected.sendall(b"hello")
            assert accepted.recv(10) == b"hello"
        connected.close()


def test_tls_read_of_a_record_in_many_packets_ends_with_the_deadline(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    server_context = authority.server_context("localhost")
    context = make_tls_context()
    context.load_verify_locations(cafile=authority.cafile)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with (
            contextlib.suppress(OSError),
            server_context.wrap_socket(theirs, server_side=True) as s,
        ):
            raw = socket.socket(fileno=s.detach())
            with raw:
                raw.sendall(b"\x17\x03\x03\x20\x00")  # a record of 8192 bytes begins
                for _byte in range(100):
                    time.sleep(0.05)
                    raw.sendall(b"x")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with ours:
        connected = DeadlineSocket(ours, 60)
        stream = context.wrap_socket(connected, server_hostname="localhost")
        began = time.monotonic()
        connected.ends_at = began + 0.5
        with pytest.raises(DeadlineExceeded):
            stream.recv(100)
        assert time.monotonic() - began < 3
    thread.join(10)

"""A real server on 127.0.0.1 that misbehaves where and how a table says.

It speaks enough of the identity API to get a client through discovery, authentication and
validation, so that a failure can be put at each of these stages.
"""

from __future__ import annotations

import contextlib
import datetime
import enum
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

# Three a second: no read time-out ever notices, and a whole answer takes minutes.
DRIP_SECONDS = 0.3
# Nothing in here waits longer for a client, so that no thread outlives its test for long.
PATIENCE_SECONDS = 20
# How a TLS connection begins (RFC 8446 §5.1, ContentType).
TLS_HANDSHAKE = b"\x16"


class Stage(enum.Enum):
    """What a client wants of the server."""

    DISCOVERY = enum.auto()
    AUTHENTICATION = enum.auto()
    VALIDATION = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True)
class Seen:
    """One request that arrived. Header names are in lower case."""

    stage: Stage
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


Behaviour = Callable[[socket.socket], None]


def answer(
    status: int,
    body: object = b"",
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Behaviour:
    """Give a proper answer; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    message = "\r\n".join([*lines, "", ""]).encode() + content
    return lambda client: client.sendall(message)


def forbidden(message: str = "You are not authorized: identity:do_this.") -> Behaviour:
    """Answer as Keystone does whose policy forbids an action."""
    return answer(403, {"error": {"code": 403, "message": message, "title": "Forbidden"}})


def redirect(location: str, status: int = 302) -> Behaviour:
    """Send the client elsewhere."""
    return answer(status, headers={"Location": location})


def reset(client: socket.socket) -> None:
    """Close so that the client gets a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionAbortedError


def hang_up(client: socket.socket) -> None:
    """Close without a word."""
    raise ConnectionAbortedError


def stay_silent(client: socket.socket) -> None:
    """Say nothing until the client gives up."""
    client.settimeout(PATIENCE_SECONDS)
    client.recv(1)
    raise ConnectionAbortedError


def drip(message: bytes) -> Behaviour:
    """Send a message one byte at a time."""

    def send_slowly(client: socket.socket) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        for byte in message:
            client.sendall(bytes([byte]))
            time.sleep(DRIP_SECONDS)
            if time.monotonic() > give_up_at:
                break
        raise ConnectionAbortedError

    return send_slowly


def send_and_hang_up(message: bytes) -> Behaviour:
    """Send these bytes and close."""

    def send(client: socket.socket) -> None:
        client.sendall(message)
        raise ConnectionAbortedError

    return send


def send_without_end(client: socket.socket) -> None:
    """Send a body until the client has had enough."""
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        client.sendall(b" " * 1_000_000)
    raise ConnectionAbortedError


drip_head = drip(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 1000 + b"\r\n\r\n")


def drip_body(client: socket.socket) -> None:
    """Send the head at once and the body one byte at a time."""
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n")
    drip(b"\r\n" + b" " * 999)(client)


@dataclass
class MisbehavingIdentity:
    """An identity service that does what it should, but for the stages told otherwise.

    Args:
        behaviours: by stage; a list is used up one by one, its last one stays.
        tls: serve with this context.
        catalog: the catalog of our own token; by default the server itself.
        link: where discovery says version 3 is; by default the server itself.
        told_port: what clients are told, where something stands between them and the server.
    """

    behaviours: Mapping[Stage, Behaviour | list[Behaviour]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    catalog: object = None
    link: str | None = None
    port: int = 0
    told_port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    _listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where clients find it, without version."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://localhost:{self.told_port or self.port}"

    def count(self, stage: Stage) -> int:
        """Return how many requests of this kind arrived."""
        return sum(request.stage is stage for request in self.seen)

    def last(self, stage: Stage) -> Seen:
        """Return the latest request of this kind."""
        return [request for request in self.seen if request.stage is stage][-1]

    @contextlib.contextmanager
    def served(self) -> Iterator[MisbehavingIdentity]:
        """Serve inside the block."""
        with listening(self._serve) as self._listener:
            self.port = self._listener.getsockname()[1]
            yield self

    def discover_for_the_last_time(self, client: socket.socket) -> None:
        """Tell the versions, and from now on refuse connections."""
        assert self._listener is not None
        close_listener(self._listener)
        # The client must not send its next request on this connection, which is closed as well.
        self._discover(self.last(Stage.DISCOVERY), {"Connection": "close"})(client)
        raise ConnectionAbortedError

    def _serve(self, connected: socket.socket) -> None:
        self.connections += 1
        client = connected
        if self.tls is not None:
            client = self.tls.wrap_socket(connected, server_side=True)
        with client, client.makefile("rb") as reader:
            if reader.peek(1)[:1] == TLS_HANDSHAKE:
                # There may be no line end in it to wait for.
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            while (seen := _read_request(reader)) is not None:
                self.seen.append(seen)
                self._behaviour(seen)(client)

    def _behaviour(self, seen: Seen) -> Behaviour:
        behaviour = self.behaviours.get(seen.stage)
        if isinstance(behaviour, list):
            return behaviour.pop(0) if len(behaviour) > 1 else behaviour[0]
        if behaviour is not None:
            return behaviour
        if seen.stage is Stage.DISCOVERY:
            return self._discover(seen)
        if seen.stage is Stage.AUTHENTICATION:
            number = self.count(Stage.AUTHENTICATION)
            return answer(
                201, {"token": self.own_token()}, headers={"X-Subject-Token": f"own-{number}"}
            )
        if seen.stage is Stage.VALIDATION:
            return answer(200, {"token": TOKEN_BODY})
        return answer(200, {"events": []}, headers={"Date": "Sun, 06 Nov 1994 08:49:37 GMT"})

    def _discover(self, seen: Seen, headers: Mapping[str, str] | None = None) -> Behaviour:
        link = {"rel": "self", "href": self.link or f"{self.url}/v3/"}
        version = {"id": "v3.14", "status": "stable", "links": [link]}
        if seen.path.rstrip("/") == "/v3":
            return answer(200, {"version": version}, headers=headers)
        return answer(300, {"versions": {"values": [version]}}, headers=headers)

    def own_token(self) -> dict[str, object]:
        """Return the body of a token of ours, as of now."""
        endpoint = {"interface": "internal", "region": "RegionOne", "region_id": "RegionOne"}
        service = {"type": "identity", "endpoints": [{**endpoint, "url": f"{self.url}/v3"}]}
        expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        return {
            **TOKEN_BODY,
            "expires_at": expiry.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "catalog": [service] if self.catalog is None else self.catalog,
        }


TOKEN_BODY: dict[str, object] = {
    "methods": ["password"],
    "user": {"id": "u1", "name": "someone", "domain": {"id": "default", "name": "Default"}},
    "audit_ids": ["a1"],
    "issued_at": "2026-01-01T00:00:00.000000Z",
    "expires_at": "2036-01-01T00:00:00.000000Z",
}


def _read_request(reader: object) -> Seen | None:
    readline = reader.readline  # type: ignore[attr-defined]
    start: bytes = readline()
    if not start.strip():
        return None
    method, target, _ = start.decode("latin-1").split(" ", 2)
    headers = {}
    while (line := readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))  # type: ignore[attr-defined]
    path, _, query = target.partition("?")
    stage = Stage.OTHER
    if path in ("", "/", "/v3", "/v3/"):
        stage = Stage.DISCOVERY
    elif path == "/v3/auth/tokens":
        stage = Stage.AUTHENTICATION if method == "POST" else Stage.VALIDATION
    return Seen(stage, method, path, query, headers, body)


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """Call `serve` in a thread with each connection to a port of ours; yields the listener."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve_one(connected: socket.socket) -> None:
        # The client, or the behaviour itself, ends a connection whenever it likes.
        with contextlib.suppress(OSError, ValueError), connected:
            serve(connected)

    def accept() -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            connected.settimeout(PATIENCE_SECONDS)
            threading.Thread(target=serve_one, args=(connected,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        close_listener(listener)
        thread.join(5)


def close_listener(listener: socket.socket) -> None:
    """Refuse connections from now on; without effect the second time."""
    # close() alone does not wake a thread that waits in accept().
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@contextlib.contextmanager
def dripping_relay(port: int) -> Iterator[int]:
    """Pass bytes on to this port at once, and back one at a time; yields the relay's port."""

    def relay(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as server:

            def pass_on() -> None:
                with contextlib.suppress(OSError):
                    while received := client.recv(65536):
                        server.sendall(received)

            threading.Thread(target=pass_on, daemon=True).start()
            while received := server.recv(65536):
                drip(received)(client)

    with listening(relay) as listener:
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])

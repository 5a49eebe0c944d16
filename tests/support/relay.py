"""Servers in front of another one: TLS, and proxies, good and bad."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

from tests.support.misbehaving import PATIENCE_SECONDS, close_listener, listening


@contextlib.contextmanager
def tls_relay(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Speak TLS, and pass on what is inside to a port of 127.0.0.1; yields the relay's port."""

    def relay(connected: socket.socket) -> None:
        with (
            context.wrap_socket(connected, server_side=True) as client,
            socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as server,
        ):
            _join(client, server)

    with listening(relay) as listener:
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def proxy(answer: bytes | None = None, *, to_long: bytes | None = None) -> Iterator[int]:
    """Serve as a proxy on a port, which it yields.

    Args:
        answer: what it says to every request; None: it does what it is asked for.
        to_long: what it says to requests of more than 4000 bytes instead.
    """

    def serve(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = client.recv(65536)
            if not received:
                return
            head += received
        if answer is not None:
            client.sendall(to_long if to_long is not None and len(head) > 4000 else answer)
            return
        method, target, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            host, _, port = target.decode().rpartition(":")
        else:
            host, _, port = target.decode().partition("//")[2].partition("/")[0].partition(":")
        with socket.create_connection((host, int(port or 80)), PATIENCE_SECONDS) as server:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(head)
            _join(client, server)

    with listening(serve) as listener:
        yield int(listener.getsockname()[1])


def _join(client: socket.socket, server: socket.socket) -> None:
    client.settimeout(PATIENCE_SECONDS)

    def pass_on(read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while received := read(65536):
                write(received)
        # Wakes the other direction.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=pass_on, args=(client.recv, server.sendall), daemon=True)
    thread.start()
    pass_on(server.recv, client.sendall)


class Link:
    """A link to a port of 127.0.0.1 that can be cut and healed.

    Args:
        port: where it leads.

    Attributes:
        port: where it begins.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        with self._lock:
            self._is_cut = True
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def close(self) -> None:
        """Cut it for ever."""
        self._is_closed = True
        self.cut()
        close_listener(self._listener)

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self._to), PATIENCE_SECONDS)
            with server:
                with self._lock:
                    if self._is_cut:
                        return
                    self._sockets |= {client, server}
                try:
                    back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                    back.start()
                    _copy(client, server)
                    back.join(PATIENCE_SECONDS)
                finally:
                    with self._lock:
                        self._sockets -= {client, server}


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            target.sendall(received)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)

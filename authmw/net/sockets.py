"""Sockets on which every operation respects a deadline.

A read time-out alone starts anew with each byte that arrives, so a server that sends one byte a
second holds a worker for hours. Here each operation gets the smaller of its own time-out and what
the deadline leaves. It takes no thread and no signal, so it works under uWSGI without threads,
eventlet and gevent alike.
"""

from __future__ import annotations

import io
import math
import socket
import time
from typing import TYPE_CHECKING, Any, cast

from authmw.errors import DeadlineExceeded
from authmw.net import deadline
from authmw.net.addresses import Address, UnixAddress

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class DeadlineSocket:
    """The part of a socket that http.client, urllib3 and pymemcache use.

    `makefile` counts its files as `socket.socket` does, since http.client closes the socket of
    a last response before it has read the body.

    Args:
        connected: a socket.
        step_seconds: the time-out of one operation.

    Attributes:
        ends_at: the deadline of this socket, monotonic seconds; that of the context
            (`authmw.net.deadline`) applies as well.
    """

    def __init__(
        self, connected: socket.socket, step_seconds: float, ends_at: float = math.inf
    ) -> None:
        self._socket = connected
        self._step_seconds = step_seconds
        self.ends_at = ends_at
        self._is_closed = False
        self._io_refs = 0

    def settimeout(self, seconds: float | None) -> None:
        """Set the time-out of one operation."""
        self._step_seconds = math.inf if seconds is None else seconds

    def gettimeout(self) -> float | None:
        """Return the time-out of one operation."""
        return None if self._step_seconds == math.inf else self._step_seconds

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive up to `size` bytes; raises DeadlineExceeded or OSError, as all operations do."""
        self._set_time_out()
        try:
            return self._socket.recv(size, flags)
        except TimeoutError:
            self._raise_if_over()
            raise

    def recv_into(self, buffer: WriteableBuffer, size: int = 0, flags: int = 0) -> int:
        """Receive into a buffer; returns the number of bytes."""
        self._set_time_out()
        try:
            return self._socket.recv_into(buffer, size, flags)
        except TimeoutError:
            self._raise_if_over()
            raise

    def sendall(self, content: ReadableBuffer, flags: int = 0) -> None:
        """Send everything."""
        with memoryview(content) as view, view.cast("B") as unsent:
            sent = 0
            while sent < len(unsent):
                self._set_time_out()
                try:
                    sent += self._socket.send(unsent[sent:], flags)
                except TimeoutError:
                    self._raise_if_over()
                    raise

    def _set_time_out(self) -> None:
        left = min(self.ends_at, deadline.ends_at.get()) - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded
        seconds = min(self._step_seconds, left)
        self._socket.settimeout(None if seconds == math.inf else seconds)

    def _raise_if_over(self) -> None:
        if min(self.ends_at, deadline.ends_at.get()) <= time.monotonic():
            raise DeadlineExceeded from None

    def makefile(self, mode: str, buffering: int | None = None) -> io.BufferedReader:
        """Return a buffered reader; http.client asks for nothing else."""
        if mode != "rb":
            raise ValueError(f"only mode rb is supported, not {mode}")
        reader = socket.SocketIO(cast(socket.socket, self), "r")
        self._io_refs += 1
        size = buffering if buffering and buffering > 0 else io.DEFAULT_BUFFER_SIZE
        return io.BufferedReader(reader, size)

    def fileno(self) -> int:
        """Return the file descriptor, which urllib3 polls to see whether the server hung up."""
        return self._socket.fileno()

    def shutdown(self, how: int) -> None:
        """Shut one or both directions down."""
        self._socket.shutdown(how)

    def close(self) -> None:
        """Close, once no file made from this socket is open."""
        self._is_closed = True
        if self._io_refs <= 0:
            self._socket.close()

    def _decref_socketios(self) -> None:
        self._io_refs -= 1
        if self._is_closed:
            self.close()


def connect(address: Address, step_seconds: float, ends_at: float = math.inf) -> DeadlineSocket:
    """Connect to the first address of a server that accepts.

    Each address gets an equal share of the time left, so that one that never answers leaves time
    for the next. The look-up of the name blocks for as long as the system's resolver does: only
    a thread could end it earlier. Time-outs of the resolver belong in resolv.conf.

    Args:
        address: of the server.
        step_seconds: the time-out of one address, and later of one operation.
        ends_at: the deadline for all addresses together, and then of the socket, monotonic
            seconds; that of the context applies as well.

    Raises:
        OSError: no address accepted; socket.gaierror if the name has none.
        DeadlineExceeded: no address accepted in time.
    """
    if isinstance(address, UnixAddress):
        found: list[tuple[Any, ...]] = [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", address.path)]
    else:
        found = list(socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM))
    failure = OSError("the name has no address")
    for untried, (family, kind, protocol, _, sockaddr) in zip(
        range(len(found), 0, -1), found, strict=True
    ):
        left = min(ends_at, deadline.ends_at.get()) - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded from failure
        connected = socket.socket(family, kind, protocol)
        try:
            seconds = min(step_seconds, left / untried)
            connected.settimeout(None if seconds == math.inf else seconds)
            if family != socket.AF_UNIX:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.connect(sockaddr)
        except OSError as error:
            connected.close()
            failure = error
        except BaseException:
            connected.close()
            raise
        else:
            return DeadlineSocket(connected, step_seconds, ends_at)
    if min(ends_at, deadline.ends_at.get()) <= time.monotonic():
        raise DeadlineExceeded from failure
    raise failure

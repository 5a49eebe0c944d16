"""Sockets to memcached, in the form that pymemcache expects of the module `socket`."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, cast

from authmw.errors import CacheError, DeadlineExceeded
from authmw.net.addresses import Address, TcpAddress
from authmw.net.sockets import DeadlineSocket, connect

if TYPE_CHECKING:
    from urllib3.util.ssltransport import SSLTransport

    from authmw.net.tls import DeadlineTlsContext

# More than any entry of ours, and few enough to read and drop.
MAX_ANSWER_BYTES = 2 * 1024 * 1024

_RECEIVE_BYTES = 16 * 1024


class MemcachedSockets:
    """Makes sockets to one server; pymemcache takes it as its `socket_module`.

    Left to itself, pymemcache tries one address of a name that has several, and gives each
    packet of an answer the whole time-out again.

    Args:
        address: of the server.
        timeout: seconds to connect, TLS handshake included, and seconds for each answer.
        tls: None: no TLS. A unix socket has none, as it never leaves the host.
    """

    AF_UNIX = socket.AF_UNIX
    AF_UNSPEC = socket.AF_UNSPEC
    IPPROTO_TCP = socket.IPPROTO_TCP
    SOCK_STREAM = socket.SOCK_STREAM

    def __init__(self, address: Address, timeout: float, tls: DeadlineTlsContext | None) -> None:
        self.address = address
        self.timeout = timeout
        self.tls = tls

    def getaddrinfo(
        self, host: str, port: int, *_: int
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        """Return one address without a look-up: `MemcachedSocket.connect` tries all of them."""
        return [(self.AF_UNSPEC, self.SOCK_STREAM, self.IPPROTO_TCP, "", (host, port))]

    def socket(self, *_: int) -> MemcachedSocket:
        """Return a socket that is not connected yet."""
        return MemcachedSocket(self)


class MemcachedSocket:
    """A socket for requests and their answers, one at a time.

    Args:
        factory: has the address, the time-out and the TLS context.
    """

    __slots__ = ("_connected", "_factory", "_stream", "_unread")

    def __init__(self, factory: MemcachedSockets) -> None:
        self._factory = factory
        self._connected: DeadlineSocket | None = None
        self._stream: DeadlineSocket | SSLTransport | None = None
        self._unread = 0

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: connecting and each answer have their deadlines."""

    def connect(self, _address: object = None) -> None:
        """Connect, and do the TLS handshake.

        Raises OSError.
        """
        factory = self._factory
        address, ends_at = factory.address, time.monotonic() + factory.timeout
        try:
            connected = self._connected = connect(address, factory.timeout, ends_at)
            if factory.tls is None or not isinstance(address, TcpAddress):
                self._stream = connected
            else:
                self._stream = factory.tls.wrap_socket(connected, server_hostname=address.host)
        except DeadlineExceeded:
            raise TimeoutError("it could not be reached in time") from None

    def sendall(self, request: bytes) -> None:
        """Send a whole request; everything received from now on is its answer.

        Raises OSError.
        """
        connected, stream = self._connected, self._stream
        if connected is None or stream is None:
            raise ConnectionError("it is not connected")
        connected.ends_at = time.monotonic() + self._factory.timeout
        self._unread = MAX_ANSWER_BYTES
        try:
            stream.sendall(request)
        except DeadlineExceeded:
            raise TimeoutError("it does not accept the request in time") from None

    def recv(self, size: int = _RECEIVE_BYTES) -> bytes:
        """Return some more of the answer; `size` is a hint only.

        Raises:
            OSError: the time is over, or the connection is closed or broken.
            CacheError: the answer is too long; that judges the answer, not the server.
        """
        if self._stream is None:
            raise ConnectionError("it is not connected")
        try:
            # urllib3's TLS returns 0 where a socket returns b"".
            received = cast(bytes, self._stream.recv(max(size, _RECEIVE_BYTES)))
        except DeadlineExceeded:
            raise TimeoutError("its answer takes too long") from None
        if not received:
            raise ConnectionResetError("it closed the connection")
        self._unread -= len(received)
        if self._unread < 0:
            raise CacheError(f"memcached answered with more than {MAX_ANSWER_BYTES} bytes")
        return received

    def close(self) -> None:
        """Close the socket."""
        if self._connected is not None:
            self._connected.close()

    def __del__(self) -> None:
        # A filter that is dropped, and a fork that drops its parent's connections, closes
        # them without a warning. Nothing is sent: the parent goes on to use them.
        self.close()

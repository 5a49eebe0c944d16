"""A connection to memcached, bounded in time and in what it may say."""

from __future__ import annotations

import os
import socket
import ssl
import time
from typing import Any, Protocol

from authmw.cache.memcached.address import Address, TcpAddress, UnixAddress
from authmw.config.tls_files import load_authorities, load_certificate
from authmw.errors import CacheError, ConfigurationError

# More than any entry of ours, and little enough to be thrown away.
MAX_ANSWER_BYTES = 2 * 1024 * 1024

_RECEIVE_BYTES = 16 * 1024


class Connection(Protocol):
    """One connection, ready to be used by one thread at a time.

    After any exception it is in an unknown state and has to be closed.
    """

    def get(self, key: str) -> bytes | None:
        """Return the value under this key; None: there is none."""

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep a value."""

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Keep a value unless there is one; returns whether it is kept. One step for all."""

    def delete(self, key: str) -> None:
        """Delete a value, if there is one."""

    def close(self) -> None:
        """Close it; never raises."""


class BoundedSocket:
    """A connected socket that is asked and answers, once at a time.

    A socket's time-out begins anew with every byte; this one's is for the whole answer, but
    for the last wait (so it takes at most twice as long).

    Args:
        connected: with its time-out set.
        timeout: seconds.
    """

    __slots__ = ("_connected", "_ends_at", "_left", "_timeout")

    def __init__(self, connected: socket.socket, timeout: float) -> None:
        self._connected = connected
        self._timeout = timeout
        self._ends_at = 0.0
        self._left = 0

    def sendall(self, question: bytes) -> None:
        """Send a whole question; what is received from now on is its answer."""
        self._ends_at = time.monotonic() + self._timeout
        self._left = MAX_ANSWER_BYTES
        self._connected.sendall(question)

    def recv(self, size: int = _RECEIVE_BYTES) -> bytes:
        """Return some more of the answer; `size` is a hint only.

        Raises:
            OSError: the time is over, or the connection is closed or broken.
            CacheError: the answer is too long; that judges the answer, not the server.
        """
        received = self._connected.recv(max(size, _RECEIVE_BYTES))
        if not received:
            raise ConnectionResetError("it closed the connection")
        self._left -= len(received)
        if self._left < 0:
            raise CacheError(f"memcached answered with more than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > self._ends_at:
            raise TimeoutError("its answer takes too long")
        return received

    def close(self) -> None:
        """Close the socket."""
        self._connected.close()

    def __del__(self) -> None:
        # A filter that is dropped, and a fork that drops its parent's connections, closes
        # them without a warning. Nothing is sent: the parent goes on to use them.
        self.close()


def open_socket(address: Address, timeout: float, tls: ssl.SSLContext | None) -> BoundedSocket:
    """Connect to a server: to the first of its addresses that accepts.

    Args:
        address: the server.
        timeout: seconds for all addresses and the TLS handshake together, and then for
            each answer.
        tls: None: no TLS. A unix socket has none, as it never leaves the host.

    Raises OSError.
    """
    if isinstance(address, UnixAddress):
        connected = _connect(socket.AF_UNIX, address.path, timeout)
    else:
        ends_at = time.monotonic() + timeout
        connected = _connect_tcp(address, ends_at)
        if tls is not None:
            try:
                connected.settimeout(_remaining(ends_at))
                connected = tls.wrap_socket(connected, server_hostname=address.host)
            except BaseException:
                connected.close()
                raise
        connected.settimeout(timeout)
    return BoundedSocket(connected, timeout)


def _connect_tcp(address: TcpAddress, ends_at: float) -> socket.socket:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    for left, (family, _, _, _, sockaddr) in zip(range(len(found), 0, -1), found, strict=True):
        try:
            # An address that swallows everything leaves its share to the others.
            connected = _connect(family, sockaddr, _remaining(ends_at) / left)
        except OSError:
            if left == 1:
                raise
        else:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
    raise OSError("its name has no address")


def _connect(family: int, sockaddr: Any, timeout: float) -> socket.socket:
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        connected.settimeout(timeout)
        connected.connect(sockaddr)
    except BaseException:
        connected.close()
        raise
    return connected


def _remaining(ends_at: float) -> float:
    remaining = ends_at - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("it could not be reached in time")
    return remaining


def make_tls_context(
    *,
    cafile: str | None,
    certfile: str | None,
    keyfile: str | None,
    allowed_ciphers: str | None,
) -> ssl.SSLContext:
    """Return a context that trusts and shows what the `memcache_tls_*` options say.

    Raises ConfigurationError naming the option whose file or ciphers can't be used.
    """
    if cafile is not None:
        load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "memcache_tls_cafile", cafile)
    is_directory = cafile is not None and os.path.isdir(cafile)
    context = ssl.create_default_context(
        cafile=None if is_directory else cafile, capath=cafile if is_directory else None
    )
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certfile is not None:
        load_certificate(
            context,
            certificate_option="memcache_tls_certfile",
            certfile=certfile,
            key_option="memcache_tls_keyfile",
            keyfile=keyfile,
        )
    if allowed_ciphers is not None:
        try:
            context.set_ciphers(allowed_ciphers)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(
                "memcache_tls_allowed_ciphers",
                allowed_ciphers,
                f"name ciphers as `openssl ciphers` does ({error})",
            ) from error
    return context

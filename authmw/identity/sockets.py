"""Connections on which every single operation respects the deadline.

A read time-out alone starts anew with each byte that arrives, so a server that drips one
byte a second holds a worker for hours. Here each operation on the socket gets the smaller
of its own time-out and what the deadline leaves. It takes no thread and no signal, so it
works under uWSGI without threads, eventlet and gevent alike.

TLS runs in memory on top of such a socket: inside `ssl.SSLSocket` one read may wait for
many packets, and under eventlet and gevent each packet would get the whole time-out again.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection
from urllib3.util.ssl_ import resolve_cert_reqs
from urllib3.util.ssltransport import SSLTransport

from authmw.config.tls_files import refuse_encrypted_key
from authmw.identity.deadline import DeadlineExceeded, bounded, remaining_seconds

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from urllib3._base_connection import BaseHTTPConnection


class DeadlineSocket:
    """The part of a socket that http.client, urllib3 and its TLS transport use.

    `makefile` counts its files as `socket.socket` does, since http.client closes the
    socket of a last response before it has read the body.
    """

    def __init__(self, connected: socket.socket, step_seconds: float) -> None:
        self._socket = connected
        self._step_seconds = step_seconds
        self._is_closed = False
        self._io_refs = 0

    def settimeout(self, seconds: float | None) -> None:
        """Set the time-out of one operation."""
        self._step_seconds = float("inf") if seconds is None else seconds

    def gettimeout(self) -> float | None:
        """Return the time-out of one operation."""
        return None if self._step_seconds == float("inf") else self._step_seconds

    @contextlib.contextmanager
    def _one_operation(self) -> Iterator[socket.socket]:
        seconds = bounded(self._step_seconds)
        self._socket.settimeout(None if seconds == float("inf") else seconds)
        try:
            yield self._socket
        except TimeoutError:
            if remaining_seconds() <= 0:
                raise DeadlineExceeded from None
            raise

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive up to `size` bytes."""
        with self._one_operation() as connected:
            return connected.recv(size, flags)

    def recv_into(self, buffer: WriteableBuffer, size: int = 0, flags: int = 0) -> int:
        """Receive into a buffer; returns the number of bytes."""
        with self._one_operation() as connected:
            return connected.recv_into(buffer, size, flags)

    def sendall(self, content: ReadableBuffer, flags: int = 0) -> None:
        """Send everything."""
        with memoryview(content) as view, view.cast("B") as unsent:
            sent = 0
            while sent < len(unsent):
                with self._one_operation() as connected:
                    sent += connected.send(unsent[sent:], flags)

    def makefile(self, mode: str, buffering: int | None = None) -> io.BufferedReader:
        """Return a buffered reader; http.client asks for nothing else."""
        if mode != "rb":
            raise ValueError(f"only mode rb is supported, not {mode}")
        reader = socket.SocketIO(cast(socket.socket, self), "r")
        self._io_refs += 1
        size = buffering if buffering and buffering > 0 else io.DEFAULT_BUFFER_SIZE
        return io.BufferedReader(reader, size)

    def fileno(self) -> int:
        """Return the file descriptor, for urllib3's look at whether the server hung up."""
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


class DeadlineTlsContext(ssl.SSLContext):
    """A client context whose TLS runs in memory on top of a `DeadlineSocket`."""

    def wrap_socket(  # type: ignore[override]
        self, sock: socket.socket, *, server_hostname: str | None = None
    ) -> SSLTransport:
        """Do the handshake; returns the connection, which urllib3 takes for a TLS socket."""
        return SSLTransport(sock, self, server_hostname)

    def load_cert_chain(  # type: ignore[override]
        self, certfile: str, keyfile: str | None = None
    ) -> None:
        """Load a certificate and its key; no passphrase is asked for.

        The files were checked at start, but may be others when a connection is made.
        """
        refuse_encrypted_key(self, certfile, keyfile)


def make_tls_context(*, verify: bool) -> DeadlineTlsContext:
    """Return a context without certificates: urllib3 loads those of each connection."""
    context = DeadlineTlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A session ticket that arrives late makes an idle connection look like a closed one.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class DeadlineHTTPConnection(HTTPConnection):
    """Tries each address of the host inside the deadline, not each for a whole time-out."""

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class DeadlineHTTPSConnection(HTTPSConnection):
    """The same with TLS; whatever certificates urllib3 was told to use are used."""

    def _new_conn(self) -> socket.socket:
        return _connect(self)

    def connect(self) -> None:
        """Connect, and do the handshakes with a proxy, if any, and the server."""
        if self.ssl_context is None:
            verify = resolve_cert_reqs(self.cert_reqs) != ssl.CERT_NONE
            self.ssl_context = make_tls_context(verify=verify)
            if verify and not (self.ca_certs or self.ca_cert_dir or self.ca_cert_data):
                self.ssl_context.load_default_certs()
        super().connect()


class DeadlineHTTPConnectionPool(HTTPConnectionPool):
    """A pool of `DeadlineHTTPConnection`."""

    ConnectionCls = DeadlineHTTPConnection


class DeadlineHTTPSConnectionPool(HTTPSConnectionPool):
    """A pool of `DeadlineHTTPSConnection`."""

    ConnectionCls = DeadlineHTTPSConnection

    def _validate_conn(self, conn: BaseHTTPConnection) -> None:
        """Connect, without the warning that `insecure = true` gets at each connection.

        The log says so at each start, and where warnings are errors no token could be validated.
        """
        if conn.is_closed:
            conn.connect()


def _connect(connection: HTTPConnection) -> socket.socket:
    """Connect to the first address that accepts; its errors are those urllib3 expects.

    The look-up of the name blocks for as long as the system's resolver does: nothing but
    a thread could end it earlier. Time-outs of the resolver belong into resolv.conf.
    """
    host = connection.host
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    step_seconds = cast(float, connection.timeout)
    failure: OSError | None = None
    for *_, address in found:
        try:
            connected = create_connection(
                cast(tuple[str, int], address[:2]),
                bounded(step_seconds),
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except OSError as error:
            failure = error
        else:
            return cast(socket.socket, DeadlineSocket(connected, step_seconds))
    bounded(step_seconds)
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, f"{host} did not accept in time") from failure
    raise NewConnectionError(connection, f"{host} can't be reached: {failure}") from failure

"""urllib3's connections and pools, made from sockets that respect the deadline."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import resolve_cert_reqs

from authmw.net.addresses import TcpAddress
from authmw.net.sockets import connect
from authmw.net.tls import DeadlineTlsContext, make_tls_context

if TYPE_CHECKING:
    from urllib3._base_connection import BaseHTTPConnection


class DeadlineHTTPConnection(HTTPConnection):
    """Tries all addresses of the host inside the deadline."""

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class DeadlineHTTPSConnection(HTTPSConnection):
    """The same with TLS, and the certificates that urllib3 was told to use."""

    def _new_conn(self) -> socket.socket:
        return _connect(self)

    def connect(self) -> None:
        """Connect, and do the handshakes with a proxy, if any, and the server."""
        # requests 2.32.0 to 2.32.4 hand over a context of their own.
        if not isinstance(self.ssl_context, DeadlineTlsContext):
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
    """Connect to the host of a connection; its errors are those urllib3 expects.

    DeadlineExceeded passes through.
    """
    host = connection.host
    address = TcpAddress(host, connection.port)
    try:
        return cast(socket.socket, connect(address, cast(float, connection.timeout)))
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"{host} did not accept in time") from error
    except OSError as error:
        raise NewConnectionError(connection, f"{host} can't be reached: {error}") from error

"""Single connections by which a check finds out what is at an address."""

from __future__ import annotations

import base64
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from authmw.net.addresses import TcpAddress

_MOST_HEAD_BYTES = 16 * 1024
# For the alert of a server on the way: our side of the handshake ends half a round trip earlier.
_MOMENT_SECONDS = 0.25
# For what only a wrong server takes so long to answer.
_PATIENCE_SECONDS = 3.0


class ProxyRefused(Exception):
    """A proxy answered CONNECT with another status than 200; the text is that status."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A proxy to connect through (RFC 9110 §9.3.6)."""

    proxy: TcpAddress
    is_tls: bool
    authorization: str


@dataclass(slots=True)
class Target:
    """A server, and how it is reached.

    Attributes:
        address: of the server.
        scheme: http or https.
        seconds: for connecting, and for each answer.
        tunnel: None: it is reached directly.
    """

    address: TcpAddress
    scheme: str
    seconds: float
    tunnel: Tunnel | None = None


def resolve(address: TcpAddress) -> list[str]:
    """Return the IP addresses of a host in the order in which they are tried; raises OSError."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def connect_to(address: TcpAddress, seconds: float) -> socket.socket:
    """Connect to the first address that accepts; raises OSError."""
    return socket.create_connection((address.host, address.port), seconds)


def make_tunnel(proxy_url: str, target: Target) -> Tunnel:
    """Read the URL of a proxy; raises ValueError."""
    parts = urlsplit(proxy_url if "://" in proxy_url else f"http://{proxy_url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{parts.scheme}: no proxy of this kind is used for {target.scheme}")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Tunnel(TcpAddress(parts.hostname, port), parts.scheme == "https", authorization)


def open_stream(target: Target) -> socket.socket:
    """Connect to a target, through its proxy if there is one; a proxy for http is only reached.

    Raises:
        OSError: it can't be reached.
        ProxyRefused: the proxy does not connect to it.
    """
    tunnel = target.tunnel
    if tunnel is None:
        return connect_to(target.address, target.seconds)
    stream = connect_to(tunnel.proxy, target.seconds)
    try:
        if tunnel.is_tls:
            context = ssl.create_default_context()
            stream = context.wrap_socket(stream, server_hostname=tunnel.proxy.host)
        if target.scheme == "https":
            _ask_for_tunnel(stream, tunnel, target.address)
    except BaseException:
        stream.close()
        raise
    return stream


def _ask_for_tunnel(stream: socket.socket, tunnel: Tunnel, address: TcpAddress) -> None:
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if tunnel.authorization:
        lines.append(f"Proxy-Authorization: {tunnel.authorization}")
    stream.sendall("\r\n".join([*lines, "", ""]).encode("ascii", "replace"))
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MOST_HEAD_BYTES:
        received = stream.recv(1024)
        if not received:
            break
        head += received
    status = head.partition(b"\r\n")[0].decode("latin-1")
    if not status.startswith("HTTP/"):
        raise ProxyRefused("nothing that is HTTP")
    if status.split(" ")[1:2] != ["200"]:
        raise ProxyRefused(" ".join(status.split(" ")[1:])[:80])


def open_tls(target: Target, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Do the TLS handshake, and wait a moment: TLS 1.3 refuses a client's certificate after it.

    Raises OSError, of which ssl.SSLError is one, or ProxyRefused.
    """
    stream = open_stream(target)
    try:
        # The context's own `wrap_socket` is for sockets with a deadline.
        connection = ssl.SSLContext.wrap_socket(
            context, stream, server_hostname=target.address.host
        )
    except BaseException:
        stream.close()
        raise
    try:
        connection.settimeout(_MOMENT_SECONDS)
        connection.recv(1)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        pass
    except ssl.SSLError:
        connection.close()
        raise
    except OSError:
        pass  # the handshake went well, and what is behind it is the next check's
    return connection


def speaks_tls(target: Target) -> bool:
    """Tell whether a server does a TLS handshake, whoever it says it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        stream = connect_to(target.address, _PATIENCE_SECONDS)
        with stream, context.wrap_socket(stream, server_hostname=target.address.host):
            return True
    except ssl.SSLError as error:
        # It speaks TLS, and wants something of us.
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def ask_plainly(target: Target) -> bytes:
    """Return how a server begins to answer a request in plain HTTP; nothing if it hangs up.

    Raises TimeoutError if it says nothing for some seconds.
    """
    try:
        with connect_to(target.address, min(target.seconds, _PATIENCE_SECONDS)) as stream:
            stream.sendall(_head_request(target.address))
            return stream.recv(64)
    except TimeoutError:
        raise
    except OSError:
        return b""


def _head_request(address: TcpAddress) -> bytes:
    return f"HEAD / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode(
        errors="replace"
    )

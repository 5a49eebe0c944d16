"""TLS on a `DeadlineSocket`.

TLS runs in memory on top of the socket. Inside `ssl.SSLSocket` one read may wait for many packets,
and under eventlet and gevent each packet would get the whole time-out again.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from urllib3.util.ssltransport import SSLTransport

from authmw.net.pem_files import load_unencrypted

if TYPE_CHECKING:
    from authmw.net.sockets import DeadlineSocket


class DeadlineTlsContext(ssl.SSLContext):
    """A client's TLS context for `DeadlineSocket`."""

    def wrap_socket(  # type: ignore[override]
        self, sock: DeadlineSocket, *, server_hostname: str | None = None
    ) -> SSLTransport:
        """Do the handshake; returns the connection, which urllib3 takes for a TLS socket."""
        return SSLTransport(sock, self, server_hostname)  # type: ignore[arg-type]

    def load_cert_chain(  # type: ignore[override]
        self, certfile: str, keyfile: str | None = None
    ) -> None:
        """Load a certificate and its key; OpenSSL never asks for a passphrase.

        The files were checked at start, but may have changed when a connection is made.
        """
        load_unencrypted(self, certfile, keyfile)


def make_tls_context(*, verify: bool = True) -> DeadlineTlsContext:
    """Return a context for TLS 1.2 and later that trusts no authority yet.

    Args:
        verify: whether the server's certificate and name are verified.
    """
    context = DeadlineTlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A session ticket that arrives late makes an idle connection look like a closed one.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

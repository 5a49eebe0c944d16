"""One connection to a NATS server: TLS that is kept to, our credentials, bounded messages."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from authmw.bundle.push.settings import read_secret
from authmw.errors import ConfigurationError
from authmw.net.pem_files import load_authorities, load_certificate
from authmw.runtime.extras import how_to_install

try:
    from nats.aio.client import Client
    from nats.errors import Error as NatsError
    from nats.errors import ProtocolError
    from nats.protocol.parser import Parser
except ImportError as error:  # pragma: no cover - the tests have it
    raise ConfigurationError(
        "servers", None, f"NATS needs another package: {how_to_install('nats')}", section="push"
    ) from error

if TYPE_CHECKING:
    from authmw.bundle.push.settings import PushSettings

__all__ = ["Connection", "NatsError", "connect"]

# What is not yet a whole message: far more than any of ours, and than a server's own.
_MAX_BYTES = 1 << 18
_PING_SECONDS = 20
_CLOSE_SECONDS = 2.0


class Connection(Client):
    """A client that is connected once, and never again by itself.

    The library's own client speaks without TLS, though the URL says tls, if the server's
    greeting, which anyone between could have written, does not ask for it.

    Args:
        needs_tls: whether to speak by TLS alone.

    Attributes:
        ended: is set when the connection is lost.
        complaint: the server's last one that did not end it, such as a missing permission.
    """

    def __init__(self, *, needs_tls: bool) -> None:
        super().__init__()
        self._needs_tls = needs_tls
        self._ps = _BoundedParser(self)
        self.ended = asyncio.Event()
        self.complaint: Exception | None = None

    async def _process_info(
        self,
        info: dict[str, Any],
        initial_connection: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        if initial_connection and self._needs_tls and info.get("tls_required") is not True:
            raise NatsError("the server does not ask for TLS, and the URL says tls://")
        # Other servers that it names are not used: those in the configuration are.
        await super()._process_info({**info, "connect_urls": []}, initial_connection)


class _BoundedParser(Parser):
    """Refuses to collect a message of any size that a server states."""

    async def parse(self, data: bytes = b"") -> None:
        if len(self.buf) + len(data) > _MAX_BYTES:
            raise ProtocolError
        await super().parse(data)


@contextlib.asynccontextmanager
async def connect(settings: PushSettings, server: str, name: str) -> AsyncIterator[Connection]:
    """Connect to one server; `Connection.ended` is set when the connection is lost.

    Args:
        settings: with credentials, which are read anew.
        server: one of its URLs.
        name: that the server shows for this connection.

    Raises:
        OSError, NatsError, TimeoutError: it is not there, does not answer or refuses us.
        ConfigurationError, ValueError: a file can't be used.
    """
    needs_tls = server.startswith("tls:")
    connection = Connection(needs_tls=needs_tls)

    async def note_error(error: Exception) -> None:
        connection.complaint = error

    async def note_end() -> None:
        connection.ended.set()

    options: dict[str, Any] = {}
    # For a server that asks for TLS where the URL says nats, the library makes a context. One for
    # each of the others, with the system's authorities, would take longer than all the rest.
    if needs_tls or settings.cafile is not None or settings.certfile is not None:
        options["tls"] = _make_tls_context(settings)
    if settings.credentials_file is not None:
        options["user_credentials"] = str(settings.credentials_file)
    elif settings.user is not None and settings.password_file is not None:
        options["user"] = settings.user
        options["password"] = read_secret(settings.password_file)
    elif settings.token_file is not None:
        options["token"] = read_secret(settings.token_file)
    try:
        async with asyncio.timeout(settings.timeout_seconds):
            await connection.connect(
                server,
                name=name,
                allow_reconnect=False,
                connect_timeout=settings.timeout_seconds,  # type: ignore[arg-type]
                ping_interval=_PING_SECONDS,
                error_cb=note_error,
                closed_cb=note_end,
                **options,
            )
        yield connection
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await connection.close()


def _make_tls_context(settings: PushSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cafile is None:
        context.load_default_certs()
    else:
        load_authorities(context, "cafile", str(settings.cafile))
    if settings.certfile is not None:
        load_certificate(
            context,
            certificate_option="certfile",
            certfile=str(settings.certfile),
            key_option="keyfile",
            keyfile=None if settings.keyfile is None else str(settings.keyfile),
        )
    return context

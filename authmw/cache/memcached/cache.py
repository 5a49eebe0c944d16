"""Several memcached servers as one cache."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from authmw.cache.memcached.address import parse_address
from authmw.cache.memcached.server import Connection, Limits, MemcachedServer
from authmw.cache.memcached.sockets import MemcachedSockets
from authmw.errors import CacheError
from authmw.net.addresses import Address
from authmw.runtime.process import PerProcess

if TYPE_CHECKING:
    from authmw.config.settings import Settings

# memcached takes a greater number for a date (doc/protocol.txt, "Expiration times").
_MAX_TTL_SECONDS = 30 * 24 * 3600

T = TypeVar("T")


class MemcachedCache:
    """A `BytesCache` in memcached.

    Rendezvous hashing gives each key its server: while a server is dead its keys are spread over
    the others, and no other key moves. No connection is opened before the first use, and each
    process opens its own.

    Args:
        make_servers: called once in each process.
    """

    def __init__(self, make_servers: Callable[[], Sequence[MemcachedServer]]) -> None:
        self._servers = PerProcess(make_servers)

    def get(self, key: str) -> bytes | None:
        """See `BytesCache`."""
        return self._run(key, lambda connection: connection.get(key))

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """See `BytesCache`."""
        ttl_seconds = min(ttl_seconds, _MAX_TTL_SECONDS)
        self._run(key, lambda connection: connection.set(key, value, ttl_seconds))

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Store a value unless there is one; returns whether it was stored.

        Of several processes that try at the same moment one succeeds, as long as all of them
        find the same servers alive. Raises CacheError.
        """
        ttl_seconds = min(ttl_seconds, _MAX_TTL_SECONDS)
        return self._run(key, lambda connection: connection.add(key, value, ttl_seconds))

    def delete(self, key: str) -> None:
        """See `BytesCache`."""
        self._run(key, lambda connection: connection.delete(key))

    def _run(self, key: str, operation: Callable[[Connection], T]) -> T:
        try:
            usable = [
                server
                for server in self._servers.get()
                if server.dead_until is None or server.is_usable()
            ]
            if not usable:
                raise CacheError("no memcached server answers")
            server = usable[0] if len(usable) == 1 else max(usable, key=_weigher(key))
            return server.run(operation)
        except CacheError:
            raise
        except Exception as error:
            raise CacheError(f"memcached can't be used ({type(error).__name__})") from error


def _weigher(key: str) -> Callable[[MemcachedServer], bytes]:
    def weigh(server: MemcachedServer) -> bytes:
        # SHA-256, since hosts in FIPS mode refuse the faster BLAKE2.
        return hashlib.sha256(f"{server.name} {key}".encode()).digest()

    return weigh


def open_memcached(settings: Settings) -> MemcachedCache:
    """Return the cache that `memcached_servers` and the `memcache_*` options describe.

    It connects at the first use. Raises ConfigurationError if an option can't be followed.
    """
    # A server named twice is one server.
    addresses = list(dict.fromkeys(map(parse_address, settings.memcached_servers)))
    connect = make_connector(settings)
    limits = Limits(
        max_connections=settings.memcache_pool_maxsize,
        wait_seconds=max(settings.memcache_pool_conn_get_timeout, 0),
        unused_seconds=max(settings.memcache_pool_unused_timeout, 0),
        dead_seconds=max(settings.memcache_pool_dead_retry, 0),
    )

    def make_servers() -> list[MemcachedServer]:
        return [
            MemcachedServer(str(address), functools.partial(connect, address), limits)
            for address in addresses
        ]

    return MemcachedCache(make_servers)


def make_connector(settings: Settings) -> Callable[[Address], Connection]:
    """Return what connects to a server as the `memcache_*` options say.

    Raises ConfigurationError if an option can't be followed.
    """
    timeout = float(settings.memcache_pool_socket_timeout)
    tls = None
    if settings.memcache_tls_enabled:
        from authmw.cache.memcached.tls import make_memcached_tls_context

        tls = make_memcached_tls_context(
            cafile=settings.memcache_tls_cafile,
            certfile=settings.memcache_tls_certfile,
            keyfile=settings.memcache_tls_keyfile,
            allowed_ciphers=settings.memcache_tls_allowed_ciphers,
        )
    if settings.memcache_sasl_enabled:
        from authmw.cache.memcached.binary import BinaryConnection

        username, password = settings.memcache_username or "", settings.memcache_password or ""
        return lambda address: BinaryConnection(
            MemcachedSockets(address, timeout, tls), username, password
        )
    from authmw.cache.memcached.text import TextConnection

    return lambda address: TextConnection(MemcachedSockets(address, timeout, tls))

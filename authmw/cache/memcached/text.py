"""memcached's text protocol, spoken by pymemcache."""

from __future__ import annotations

from pymemcache.client.base import Client

from authmw.cache.memcached.sockets import MemcachedSockets
from authmw.errors import CacheError

_EXPIRED = -1


class TextConnection(Client):  # type: ignore[misc] # pymemcache has no types
    """A `Connection` that is pymemcache's `Client`, which connects at the first question.

    The client takes an answer only for the key it asked for, and raises on any other
    (CVE-2014-0105).
    """

    def __init__(self, sockets: MemcachedSockets) -> None:
        # An error answered to a `noreply` would be taken for the answer to the next question.
        super().__init__(str(sockets.address), socket_module=sockets, default_noreply=False)

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """See `Connection`."""
        if not super().set(key, value, ttl_seconds):
            raise CacheError("memcached did not store an entry")

    def delete(self, key: str) -> None:
        """See `Connection`."""
        # Stored as expired (doc/protocol.txt, "Expiration times"), since the client verifies
        # the answer to `set` alone. `Client.delete` takes any other line for "not found", and
        # `raw_command` loses the first part of an answer that arrives in two.
        self.set(key, b"", _EXPIRED)

"""memcached's text protocol, spoken by pymemcache."""

from __future__ import annotations

from pymemcache.client.base import Client

from authmw.cache.memcached.address import Address, UnixAddress
from authmw.cache.memcached.wire import BoundedSocket
from authmw.errors import CacheError

_EXPIRED = -1


class TextConnection:
    """A `Connection` through pymemcache's `Client`.

    The client takes an answer only for the key it asked for, and raises on any other
    (CVE-2014-0105). It never connects by itself here: it is given an open socket, and is
    dropped with it. That is so because it tries a single address of a name that has
    several, and because a socket of its own would wait for each byte anew.
    """

    __slots__ = ("_client",)

    def __init__(self, connected: BoundedSocket, address: Address) -> None:
        server = address.path if isinstance(address, UnixAddress) else (address.host, address.port)
        self._client = Client(server)
        self._client.sock = connected

    def get(self, key: str) -> bytes | None:
        """See `Connection`."""
        value: bytes | None = self._client.get(key)
        return value

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """See `Connection`."""
        # An error answered to a `noreply` would be taken for the answer to the next question.
        if not self._client.set(key, value, expire=ttl_seconds, noreply=False):
            raise CacheError("memcached did not store an entry")

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """See `Connection`."""
        # Anything but STORED and NOT_STORED raises.
        is_stored: bool = self._client.add(key, value, expire=ttl_seconds, noreply=False)
        return is_stored

    def delete(self, key: str) -> None:
        """See `Connection`."""
        # Kept as one that has expired already (doc/protocol.txt, "Expiration times"): of
        # this alone the answer is verified. `Client.delete` takes any line at all for "it
        # was not there", and `raw_command` loses the first part of an answer in two.
        self.set(key, b"", _EXPIRED)

    def close(self) -> None:
        """See `Connection`."""
        self._client.close()

"""The shared store of a deployment: a sealed record in memcached, compressed."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

from authmw.cache.memcached import MemcachedCache
from authmw.cache.shared import MAX_VALUE_BYTES, SealedNamespace
from authmw.errors import CacheError
from authmw.revocation.sharing.store import MAX_RECORD_BYTES

_KEEP_SECONDS = 24 * 3600
_KIND = "revocation"
_COMPRESSION_LEVEL = 1
# memcached counts whole seconds, and the first one may end at once.
_SHORTEST_LEASE_SECONDS = 2


class MemcachedStore:
    """Keeps the record and the leases in memcached.

    A seal proves who wrote an entry, not when. Anyone who can write to memcached can remove
    entries, replay older ones and take leases, so that each process polls. If entries are not
    sealed, that also allows to make revoked tokens valid again.

    Args:
        cache: memcached.
        namespaces: see `SharedCache`; they tell identity endpoints apart, too.
    """

    def __init__(self, cache: MemcachedCache, namespaces: Sequence[SealedNamespace]) -> None:
        self._cache = cache
        self._namespaces = tuple(namespaces)

    def read(self) -> bytes | None:
        """See `SharedStore`."""
        for namespace in self._namespaces:
            key = namespace.keys.make_key(_KIND, b"record")
            sealed = self._cache.get(key)
            if sealed is not None:
                return _decompress(namespace.open(key, sealed))
        return None

    def write(self, record: bytes) -> None:
        """See `SharedStore`."""
        namespace = self._namespaces[0]
        key = namespace.keys.make_key(_KIND, b"record")
        sealed = namespace.seal(key, zlib.compress(record, _COMPRESSION_LEVEL))
        if len(sealed) > MAX_VALUE_BYTES:
            raise CacheError(f"{len(sealed)} bytes are too many for an entry of memcached")
        self._cache.set(key, sealed, _KEEP_SECONDS)

    def try_lease(self, edition: str, seconds: float, now: float) -> bool:  # noqa: ARG002
        """See `SharedStore`; the clock of memcached ends the lease."""
        key = self._namespaces[0].keys.make_key(_KIND, b"lease" + edition.encode())
        return self._cache.add(key, b"leased", max(math.ceil(seconds), _SHORTEST_LEASE_SECONDS))


def _decompress(compressed: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        record = decompressor.decompress(compressed, MAX_RECORD_BYTES)
    except zlib.error:
        raise CacheError("the revocation record in memcached can't be decompressed") from None
    if not decompressor.eof:
        raise CacheError("the revocation record in memcached is cut off, or too large to be one")
    return record

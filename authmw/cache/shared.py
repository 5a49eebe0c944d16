"""The cache that processes share: sealed entries under keys that reveal nothing.

A fault of the cache, and an entry that was changed, moved or forged, count as no entry: they are
logged here, and the request goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from authmw.cache.digests import KeyMaker
from authmw.cache.fault_log import FaultLog
from authmw.cache.sealing import Sealing
from authmw.errors import CacheError

LOG = logging.getLogger(__name__)

# memcached takes items up to 1 MiB by default, key and header included; as text (the cache
# of an environ) a value grows by a third.
MAX_VALUE_BYTES = 750_000


class BytesCache(Protocol):
    """A store of bytes. Raises CacheError, and nothing else."""

    def get(self, key: str) -> bytes | None:
        """Return the value under this key; None: there is none."""

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Store a value for at most `ttl_seconds`, which is more than 0."""

    def delete(self, key: str) -> None:
        """Delete the value under this key, if there is one."""


class SealedNamespace(NamedTuple):
    """The entries under one secret: makes their keys, seals and opens them."""

    keys: KeyMaker
    sealing: Sealing

    def seal(self, key: str, entry: bytes) -> bytes:
        """Return the bytes to store under this key."""
        return self.sealing.seal(key, b"\n".join((key.encode(), entry)))

    def open(self, key: str, sealed: bytes) -> bytes:
        """Return the entry that was sealed for this key; raises CacheError for anything else.

        A cache may return the answer to another request (CVE-2014-0105). Without a seal, only
        the key inside the entry shows that.
        """
        name, newline, entry = self.sealing.open(key, sealed).partition(b"\n")
        if not newline or name != key.encode():
            raise CacheError("an entry belongs to another key")
        return entry


class SharedCache:
    """Seals and opens the entries of a `BytesCache`, and keeps its faults from requests.

    Args:
        cache: stores the bytes.
        namespaces: of the secret in use, then of the previous one; the first is written to,
            all are read.
        faults: logs faults of the cache.
    """

    def __init__(
        self,
        cache: BytesCache,
        namespaces: Sequence[SealedNamespace],
        faults: FaultLog | None = None,
    ) -> None:
        self._cache = cache
        self._namespaces = tuple(namespaces)
        self._faults = faults or FaultLog()
        self._is_size_logged = False

    def look_up(self, kind: str, digest: bytes) -> Slot:
        """Look an entry up; for the arguments see `KeyMaker.make_key`."""
        for namespace in self._namespaces:
            key = namespace.keys.make_key(kind, digest)
            try:
                sealed = self._cache.get(key)
            except Exception as error:  # noqa: BLE001 - a cache or its client may be broken
                self._report(error)
                return Slot(self, kind, digest, None, is_reachable=False)
            if sealed is not None:
                try:
                    entry = namespace.open(key, sealed)
                    return Slot(self, kind, digest, entry, is_reachable=True)
                except Exception as error:  # noqa: BLE001 - or its hash
                    self._report(error)
        return Slot(self, kind, digest, None, is_reachable=True)

    def report_unreadable(self, fault: CacheError) -> None:
        """Log an entry that could not be read although its seal is valid."""
        self._faults.report(fault)

    def put(self, kind: str, digest: bytes, entry: bytes, ttl_seconds: int) -> None:
        """Store an entry, sealed, in the first namespace; never raises."""
        try:
            key = self._namespaces[0].keys.make_key(kind, digest)
            sealed = self._namespaces[0].seal(key, entry)
            if len(sealed) > MAX_VALUE_BYTES:
                self._log_size(len(sealed))
            else:
                self._cache.set(key, sealed, ttl_seconds)
        except Exception as error:  # noqa: BLE001
            self._report(error)

    def delete(self, kind: str, digest: bytes) -> None:
        """Delete an entry from every namespace; never raises."""
        try:
            for namespace in self._namespaces:
                self._cache.delete(namespace.keys.make_key(kind, digest))
        except Exception as error:  # noqa: BLE001
            self._report(error)

    def _log_size(self, size: int) -> None:
        if not self._is_size_logged:
            self._is_size_logged = True
            LOG.warning(
                "An entry of %d bytes is not kept in the shared cache: more than %d don't "
                "fit. Larger ones will not be mentioned again.",
                size,
                MAX_VALUE_BYTES,
            )

    def _report(self, error: Exception) -> None:
        """Log a fault and go on: no request fails with its cache."""
        if not isinstance(error, CacheError):
            # The error's text is left out: it may quote a key or an entry.
            error = CacheError(f"it raised {type(error).__name__}")
        self._faults.report(error)


class Slot(NamedTuple):
    """The place of one entry in a shared cache, and what was found there.

    Attributes:
        cache: the cache it is in.
        kind, digest: see `KeyMaker.make_key`.
        entry: what was found; None: nothing that could be read.
        is_reachable: whether the cache answered. If it did not, nothing is written either, so
            that one request waits for one time-out.
    """

    cache: SharedCache
    kind: str
    digest: bytes
    entry: bytes | None
    is_reachable: bool

    def put(self, entry: bytes, ttl_seconds: int) -> None:
        """Store an entry here, unless it has less than a second to live or the cache is down."""
        if self.is_reachable and ttl_seconds > 0:
            self.cache.put(self.kind, self.digest, entry, ttl_seconds)

    def clear(self) -> None:
        """Delete the entry, unless the cache is down."""
        if self.is_reachable:
            self.cache.delete(self.kind, self.digest)

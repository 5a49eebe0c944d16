"""The cache that processes share: sealed entries under keys that nobody can read.

Whatever the cache does, a request goes on: a fault, a changed, moved or foreign entry are
all the same as no entry, and end here.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from authmw.cache.digests import KeyMaker
from authmw.cache.fault_log import FaultLog
from authmw.cache.sealing import Sealing
from authmw.errors import CacheError

LOG = logging.getLogger(__name__)

# memcached takes items up to 1 MiB by default, key and header included; as text (the cache
# of an environ) a value grows by a third.
MAX_VALUE_BYTES = 750_000


class BytesCache(Protocol):
    """Where the bytes are kept. Raises CacheError, and nothing else."""

    def get(self, key: str) -> bytes | None:
        """Return what is kept under this key; None: nothing."""

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep a value for at most so many seconds, which are more than 0."""

    def delete(self, key: str) -> None:
        """Keep nothing under this key any more."""


@dataclass(frozen=True, slots=True)
class SealedNamespace:
    """The entries under one secret: how their keys are made and how they are sealed."""

    keys: KeyMaker
    sealing: Sealing

    def seal(self, key: str, entry: bytes) -> bytes:
        """Return what to keep under this key."""
        return self.sealing.seal(key, b"\n".join((key.encode(), entry)))

    def open(self, key: str, sealed: bytes) -> bytes:
        """Return the entry that was sealed for this key; raises CacheError for anything else.

        A cache has been seen to answer with what another request had asked for
        (CVE-2014-0105), and with no seal nothing but the name inside would tell.
        """
        name, newline, entry = self.sealing.open(key, sealed).partition(b"\n")
        if not newline or name != key.encode():
            raise CacheError("an entry belongs to another key")
        return entry


class Slot:
    """Where one entry is kept, or would be.

    Attributes:
        entry: what was found there; None: nothing that could be read.
        is_reachable: whether the cache answered. Where it did not, nothing is put there
            either: one request waits for one time-out.
    """

    __slots__ = ("_cache", "_keys", "entry", "is_reachable")

    def __init__(self, cache: SharedCache, keys: Sequence[str]) -> None:
        self._cache = cache
        self._keys = keys
        self.entry, self.is_reachable = cache._read(keys)

    def put(self, entry: bytes, ttl_seconds: int) -> None:
        """Keep an entry here; with less than a second to live, or no cache, do nothing."""
        if self.is_reachable and ttl_seconds > 0:
            self._cache._write(self._keys[0], entry, ttl_seconds)

    def clear(self) -> None:
        """Keep nothing here any more."""
        if self.is_reachable:
            self._cache._delete(self._keys)


class SharedCache:
    """A `BytesCache` made safe to use.

    Args:
        cache: where the bytes are kept.
        namespaces: the first is written to, all are read: the secret in use, then the one
            before it.
        faults: told what went wrong.
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
        self._told_of_size = False

    def find(self, kind: str, digest: bytes) -> Slot:
        """Look an entry up; arguments as of `KeyMaker.make_key`."""
        return Slot(self, [namespace.keys.make_key(kind, digest) for namespace in self._namespaces])

    def report_unreadable(self, fault: CacheError) -> None:
        """Say that an entry was ours by its seal, and yet could not be read."""
        self._faults.report(fault)

    def _read(self, keys: Sequence[str]) -> tuple[bytes | None, bool]:
        """Return the entry, if there is one, and whether the cache answered."""
        for namespace, key in zip(self._namespaces, keys, strict=True):
            answered = False
            with self._reported():
                sealed = self._cache.get(key)
                answered = True
                if sealed is not None:
                    return namespace.open(key, sealed), True
            if not answered:
                return None, False
        return None, True

    def _write(self, key: str, entry: bytes, ttl_seconds: int) -> None:
        with self._reported():
            self._seal_and_set(key, entry, ttl_seconds)

    def _seal_and_set(self, key: str, entry: bytes, ttl_seconds: int) -> None:
        sealed = self._namespaces[0].seal(key, entry)
        if len(sealed) > MAX_VALUE_BYTES:
            if not self._told_of_size:
                self._told_of_size = True
                LOG.warning(
                    "An entry of %d bytes is not kept in the shared cache: more than %d don't "
                    "fit. Larger ones will not be mentioned again.",
                    len(sealed),
                    MAX_VALUE_BYTES,
                )
            return
        self._cache.set(key, sealed, ttl_seconds)

    def _delete(self, keys: Sequence[str]) -> None:
        with self._reported():
            for key in keys:
                self._cache.delete(key)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Report whatever is raised inside, and go on: no request fails with its cache."""
        try:
            yield
        except CacheError as fault:
            self._faults.report(fault)
        except Exception as error:  # noqa: BLE001 - a cache, its client or its hash may be broken
            # The error's text is left out: it may quote a key or an entry.
            self._faults.report(CacheError(f"it raised {type(error).__name__}"))

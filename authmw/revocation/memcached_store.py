"""A shared store of a whole deployment: sealed records in memcached.

A record is compressed, as most of it is hexadecimal. What does not fit into one entry goes
on in further ones:

    key of name          "EDITION SLOT PARTS\\n" and the first part
    key of name/SLOT/0   EDITION and the next part
    ...

Each write takes the slot that is not in use and replaces the first entry last, so that who
reads meanwhile finds what it is looking for, and no more than two writes take up room.
Parts of different writes are told apart by the edition.
"""

from __future__ import annotations

import math
import secrets
import zlib
from collections.abc import Sequence
from typing import Protocol

from authmw.cache.shared import MAX_VALUE_BYTES, BytesCache, Shelf
from authmw.errors import CacheError
from authmw.revocation.store import MAX_RECORD_BYTES

# Seals, names and head lines are far shorter than the difference.
PART_BYTES = MAX_VALUE_BYTES - 1000
# While nobody polls for so long, the next poll asks for everything.
KEEP_SECONDS = 7 * 24 * 3600

_KIND = "revocation"
_EDITION_BYTES = 16
_COMPRESSION_LEVEL = 1
_MAX_PARTS = MAX_RECORD_BYTES // PART_BYTES
# memcached counts in whole seconds, and may take the first one for over at once.
_SHORTEST_LEASE_SECONDS = 2


class LeaseCache(BytesCache, Protocol):
    """A `BytesCache` in which only one of many can put something under a key."""

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Keep a value unless there is one; returns whether it is kept."""


class MemcachedStore:
    """Keeps records and the lease in memcached.

    Whoever can write there can only make processes ask by themselves, unless entries are
    not sealed: then revoked tokens can be made good again.

    Args:
        cache: memcached.
        shelves: as of `SharedCache`; they tell identity endpoints apart, too.
    """

    def __init__(self, cache: LeaseCache, shelves: Sequence[Shelf]) -> None:
        self._cache = cache
        self._shelves = tuple(shelves)

    def read(self, name: str) -> bytes | None:
        """See `SharedStore`."""
        head = self._get(name)
        if head is None:
            return None
        edition, slot, count, first = _parse_head(head)
        parts = [first]
        for number in range(count):
            part = self._get(f"{name}/{slot}/{number}")
            # Gone, or of the write after the next one: this record can't be had any more.
            if part is None or not part.startswith(edition):
                return None
            parts.append(part[len(edition) :])
        return _decompress(b"".join(parts))

    def write(self, name: str, record: bytes) -> None:
        """See `SharedStore`."""
        compressed = zlib.compress(record, _COMPRESSION_LEVEL)
        first, *others = [
            compressed[start : start + PART_BYTES]
            for start in range(0, len(compressed), PART_BYTES)
        ]
        edition = secrets.token_hex(_EDITION_BYTES // 2).encode()
        slot = 1 - self._slot_in_use(name) if others else 0
        for number, part in enumerate(others):
            self._set(f"{name}/{slot}/{number}", edition + part)
        self._set(name, b"%s %d %d\n%s" % (edition, slot, len(others), first))

    def try_lease(self, owner: str, seconds: float, now: float) -> bool:  # noqa: ARG002
        """See `SharedStore`; only the clock of memcached counts here."""
        shelf = self._shelves[0]
        key = _make_key(shelf, "lease")
        lease = shelf.seal(key, owner.encode())
        ttl_seconds = max(math.ceil(seconds), _SHORTEST_LEASE_SECONDS)
        if self._cache.add(key, lease, ttl_seconds):
            return True
        found = self._cache.get(key)
        if found is None or shelf.open(key, found) != owner.encode():
            return False
        self._cache.set(key, lease, ttl_seconds)
        return True

    def end_lease(self, owner: str) -> None:
        """See `SharedStore`."""
        shelf = self._shelves[0]
        key = _make_key(shelf, "lease")
        found = self._cache.get(key)
        if found is not None and shelf.open(key, found) == owner.encode():
            self._cache.delete(key)

    def _slot_in_use(self, name: str) -> int:
        try:
            head = self._get(name)
            return 1 if head is None else _parse_head(head)[1]
        except CacheError:
            return 1  # what can't be read is replaced

    def _get(self, name: str) -> bytes | None:
        """Return an entry from the first shelf that has it."""
        for shelf in self._shelves:
            key = _make_key(shelf, name)
            sealed = self._cache.get(key)
            if sealed is not None:
                return shelf.open(key, sealed)
        return None

    def _set(self, name: str, entry: bytes) -> None:
        shelf = self._shelves[0]
        key = _make_key(shelf, name)
        self._cache.set(key, shelf.seal(key, entry), KEEP_SECONDS)


def _make_key(shelf: Shelf, name: str) -> str:
    return shelf.keys.make_key(_KIND, name.encode())


def _parse_head(head: bytes) -> tuple[bytes, int, int, bytes]:
    """Return edition, slot, number of further parts, and the first part."""
    line, _, first = head.partition(b"\n")
    match line.split(b" "):
        case [edition, b"0" | b"1" as slot, count] if (
            len(edition) == _EDITION_BYTES
            and count.isdigit()
            and len(count) < 4
            and int(count) <= _MAX_PARTS
        ):
            return edition, int(slot), int(count), first
        case _:
            raise CacheError("a revocation record in memcached has no proper first line")


def _decompress(compressed: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        record = decompressor.decompress(compressed, MAX_RECORD_BYTES)
    except zlib.error:
        raise CacheError("a revocation record in memcached can't be decompressed") from None
    if not decompressor.eof:
        raise CacheError("a revocation record in memcached is cut off, or too large to be one")
    return record

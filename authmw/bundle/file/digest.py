"""The state digest: a hash of a set of rows that changes with each row that goes or comes.

Each row is hashed to 3072 bits; the hashes are added modulo 2**3072 (AdHash: Bellare, Micciancio,
"A New Paradigm for Collision-Free Hashing", 1997), and the sum is hashed to 32 bytes. ADR 0124 says
why that many bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from authmw.bundle.facts import TABLES
from authmw.bundle.file.cbor import encode_value

SUM_BYTES: Final = 384
# With more, collisions may take less than 2**128 steps.
MOST_ROWS: Final = 1 << 30
_MODULUS_MASK: Final = (1 << SUM_BYTES * 8) - 1
_DOMAIN: Final = b"authmw bundle state 1\n"
# A row is hashed with the name of its table, as text, before it.
_PREFIXES: Final = {table.name: encode_value(table.name) for table in TABLES}


class StateSum:
    """The sum over the hashes of a set of rows. Whoever uses it adds each row once.

    Args:
        total: the sum of another set to begin with, `SUM_BYTES` bytes.
    """

    def __init__(self, total: bytes = bytes(SUM_BYTES)) -> None:
        self._total = int.from_bytes(total, "big")

    def add(self, table_name: str, rows: Iterable[bytes]) -> None:
        """Add encoded rows of one table (`authmw.bundle.file.cbor.encode_array`)."""
        self._total = (self._total + _sum(table_name, rows)) & _MODULUS_MASK

    def remove(self, table_name: str, rows: Iterable[bytes]) -> None:
        """Remove encoded rows of one table, which must be in the set."""
        self._total = (self._total - _sum(table_name, rows)) & _MODULUS_MASK

    @property
    def total(self) -> bytes:
        """The sum, `SUM_BYTES` bytes, the most significant first."""
        return self._total.to_bytes(SUM_BYTES, "big")

    @property
    def digest(self) -> bytes:
        """The state digest, 32 bytes."""
        return hashlib.sha256(_DOMAIN + self.total).digest()


def _sum(table_name: str, rows: Iterable[bytes]) -> int:
    prefix = _PREFIXES[table_name]
    shake, from_bytes, total = hashlib.shake_256, int.from_bytes, 0
    for row in rows:
        total += from_bytes(shake(prefix + row).digest(SUM_BYTES), "big")
    return total

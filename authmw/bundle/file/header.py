"""What a bundle says of itself: which revision it is, when and where it was read, its digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Raised with every change of the tables, of `Header`, of a row's encoding or of the digest.
FORMAT_VERSION: Final = 1

LONGEST_SOURCE: Final = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the facts of a revision come from.

    Attributes:
        revision: counts the revisions of one centre, from 1 on; a later one has a greater number.
        read_at: epoch seconds before the state of the database was fixed.
        source: for people: what was read, at most `LONGEST_SOURCE` printable characters.
        revocation_polled_at: epoch seconds at which the revocation events were read; None: the
            bundle has none.
        revocation_complete_from: epoch seconds: every event that can cover a token issued then or
            later is in the bundle (`authmw.revocation.index`).
    """

    revision: int
    read_at: int
    source: str
    revocation_polled_at: int | None = None
    revocation_complete_from: int | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What a bundle says of itself.

    Attributes:
        origin: of its facts.
        row_count: of all tables.
        digest: 32 bytes, the state digest: of the rows alone (`authmw.bundle.file.digest`).
    """

    origin: Origin
    row_count: int
    digest: bytes

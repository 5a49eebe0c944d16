"""The interface of what keeps the record that processes share, and the lease to replace it."""

from __future__ import annotations

from typing import Protocol

MAX_RECORD_BYTES = 16 * 1024 * 1024


class SharedStore(Protocol):
    """Keeps one record and one lease. Raises CacheError, and nothing else.

    Sealing, or the ownership of files, is the store's: a record that `read` returns was written by
    a process of the deployment. It may be older than the one written last, or be lost.
    """

    def read(self) -> bytes | None:
        """Return the record; None: there is none."""

    def write(self, record: bytes) -> None:
        """Replace the record as a whole: no reader ever sees a part of it."""

    def try_lease(self, edition: str, seconds: float, now: float) -> bool:
        """Take the lease to replace one edition of the record, unless it is taken.

        Nobody gives a lease back: the next record is another edition, and a holder that dies
        keeps the others waiting for `seconds` at most.

        Args:
            edition: names the record to replace; hexadecimal digits, or empty for no record.
            seconds: how long the lease lasts.
            now: epoch seconds.
        """

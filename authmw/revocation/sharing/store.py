"""The interface of a store for the record that processes share, with leases to replace it."""

from __future__ import annotations

from typing import Protocol

MAX_RECORD_BYTES = 16 * 1024 * 1024


class SharedStore(Protocol):
    """Keeps one record, and a lease for each edition of it. Raises CacheError, and nothing else.

    The store authenticates the record, by a seal or by the ownership of files: what `read` returns
    was written by a process of the deployment. It may be older than the record written last, and
    the store may lose it.
    """

    def read(self) -> bytes | None:
        """Return the record; None: there is none."""

    def write(self, record: bytes) -> None:
        """Replace the record as a whole: no reader ever sees a part of it."""

    def try_lease(self, edition: str, seconds: float, now: float) -> bool:
        """Take the lease to replace one edition of the record; False where it is taken.

        A lease is never given back: the next record is another edition with a lease of its own,
        and where the holder dies the lease ends after `seconds`.

        Args:
            edition: names the record to replace; hexadecimal digits, empty where there is none.
            seconds: how long the lease lasts.
            now: epoch seconds.
        """

"""Where the processes of a deployment share revocation events."""

from __future__ import annotations

from typing import Protocol

MAX_RECORD_BYTES = 16 * 1024 * 1024


class SharedStore(Protocol):
    """Holds one record and one lease. Raises CacheError, and nothing else.

    What `read` returns was written by some process of the deployment, or is None: sealing, or
    ownership of the files, is part of the store. It may be older than what was written last,
    and may be gone at any time.
    """

    def read(self) -> bytes | None:
        """Return the record."""

    def write(self, record: bytes) -> None:
        """Replace the record as a whole: no reader ever sees a part of it."""

    def try_lease(self, owner: str, seconds: float, now: float) -> bool:
        """Take the lease for so many seconds, unless another process holds it.

        A holder that dies keeps nobody waiting for longer than that.

        Args:
            owner: names a process; whoever holds the lease gets it again.
            now: epoch seconds.
        """

    def end_lease(self, owner: str) -> None:
        """Give the lease back, if it is still this owner's."""

"""Where the processes of a deployment leave each other word about revocation."""

from __future__ import annotations

from typing import Protocol

MAX_RECORD_BYTES = 256 * 1024 * 1024


class SharedStore(Protocol):
    """Holds a few named records, and one lease. Raises CacheError, and nothing else.

    Names are `notice`, `recent` and `full`. What comes back from `read` is what some process
    of the deployment wrote under this name, or nothing: sealing, or ownership of the files,
    is part of the store. It may be old, and may be gone at any time.
    """

    def read(self, name: str) -> bytes | None:
        """Return the record last written under this name."""

    def write(self, name: str, record: bytes) -> None:
        """Replace a record as a whole: no reader ever sees a part of it."""

    def try_lease(self, owner: str, seconds: float, now: float) -> bool:
        """Take the lease for so many seconds, unless it is somebody else's.

        A holder that dies keeps nobody waiting for longer than that.

        Args:
            owner: names a process; whoever holds the lease gets it again.
            now: epoch seconds.
        """

    def end_lease(self, owner: str) -> None:
        """Give the lease back, if it is still this owner's."""

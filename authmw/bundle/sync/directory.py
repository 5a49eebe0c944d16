"""The files of a sync process, beside the bundle that it keeps up to date."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from authmw.bundle.sync.errors import AlreadyRunning

# Workers and `authmw doctor` read the status; whoever could write would decide what is trusted.
_MODE: Final = 0o750
_PRIVATE: Final = 0o700


class SyncDirectory:
    """`NAME.sync` beside the bundle `NAME`: what has to outlive the process.

    Attributes:
        metadata: what TUF has verified; it keeps older metadata out.
        incoming: files as they are fetched; worth nothing once they are applied.
        events: a bundle: the revocation events of the hot chain.
        staging: a bundle that is made here, to be put in force as a whole.
        status: see `authmw.bundle.sync.status`.
    """

    def __init__(self, bundle: Path) -> None:
        self.path = bundle.with_name(f"{bundle.name}.sync")
        self.metadata = self.path / "metadata"
        self.incoming = self.path / "incoming"
        self.events = self.path / "events.bundle"
        self.staging = self.path / "staging.bundle"
        self.status = self.path / "status.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the directory, and keep other processes out of it.

        Raises:
            AlreadyRunning: another one has it.
            OSError: it can't be made, or is not ours.
        """
        self._make()
        lock = self.path / "lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(lock, flags, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(f"another process syncs this bundle: it has {lock}") from None
            yield
        finally:
            os.close(descriptor)

    def _make(self) -> None:
        for path, mode in (
            (self.path, _MODE),
            (self.metadata, _PRIVATE),
            (self.incoming, _PRIVATE),
        ):
            path.mkdir(exist_ok=True)
            status = path.lstat()
            if status.st_uid != os.geteuid():
                raise PermissionError(None, "it belongs to another user", str(path))
            # The set-group-ID bit is the operator's: it says which group new files belong to.
            mode |= status.st_mode & stat.S_ISGID
            if stat.S_IMODE(status.st_mode) != mode:
                path.chmod(mode)

    def forget_interrupted(self) -> None:
        """Delete what a killed process was writing."""
        for path in self.metadata.iterdir():
            if path.is_file() and path.suffix != ".json":
                path.unlink()

    def forget_incoming(self) -> None:
        """Delete what was fetched."""
        for path in self.incoming.iterdir():
            with suppress(OSError):
                path.unlink()

    def sync_metadata(self) -> None:
        """Have the metadata on disk: what a crash lost of it could be played back to us."""
        for path in (*self.metadata.glob("*.json"), self.metadata):
            with suppress(FileNotFoundError):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

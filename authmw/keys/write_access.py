"""Who can write to a file or directory, by its mode and owner: rules, without I/O."""

from __future__ import annotations

import enum
import stat
from dataclasses import dataclass

ROOT = 0


class WriteAccess(enum.Enum):
    """Who besides root and the service's own user can change a file or directory."""

    PROTECTED = "protected"
    GROUP_WRITABLE = "writable by its group"
    OWNED_BY_ANOTHER = "owned by neither root nor the user that reads it"
    WORLD_WRITABLE = "writable by everyone"
    OWNED_BY_ANOTHER_IN_OPEN_DIRECTORY = (
        "owned by neither root nor the user that reads it, in a directory that everyone can write "
        "to"
    )

    @property
    def is_refused(self) -> bool:
        """Whether any account at all can change it, or might have made it."""
        return self in (
            WriteAccess.WORLD_WRITABLE,
            WriteAccess.OWNED_BY_ANOTHER_IN_OPEN_DIRECTORY,
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether some other accounts, though not all, can make themselves issuers of tokens.

        That may be intended: on Keystone's own host Keystone's user owns the keys. So it is
        warned about, and the keys are used.
        """
        return self in (WriteAccess.GROUP_WRITABLE, WriteAccess.OWNED_BY_ANOTHER)


def classify_access(mode: int, owner_id: int, *, our_id: int) -> WriteAccess:
    """Tell who can write to a file or directory; of several answers the worst.

    The sticky bit does not count: it keeps others from removing a key, not from adding one.
    An access control list shows in the mode as a group that can write.

    Args:
        mode: `st_mode`.
        owner_id: `st_uid`; an owner can change the mode, and so can always write.
        our_id: effective user id of the process that reads.
    """
    if mode & stat.S_IWOTH:
        return WriteAccess.WORLD_WRITABLE
    if owner_id not in (ROOT, our_id):
        return WriteAccess.OWNED_BY_ANOTHER
    return WriteAccess.GROUP_WRITABLE if mode & stat.S_IWGRP else WriteAccess.PROTECTED


@dataclass(frozen=True, slots=True)
class UnsafeComponent:
    """A directory or link in a path that others can change, so that the path leads elsewhere."""

    path: str
    access: WriteAccess

    def describe(self, of: str) -> str:
        """Return a sentence for the operator.

        Args:
            of: what the path leads to.
        """
        return f"{printable(self.path)}, on the way to {of}, is {self.access.value}"


def printable(path: str) -> str:
    """Return a path as logs and terminals may show it: a name may hold control characters."""
    return path if path.isprintable() else path.encode("unicode_escape").decode("ascii")

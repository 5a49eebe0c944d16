"""Why a sync did not come to its end, in words for whoever is woken up."""

from __future__ import annotations

import enum
from typing import Final

from authmw.errors import AuthmwError
from authmw.runtime.printable import printable

# Characters.
_LONGEST_REASON: Final = 2000


class Kind(enum.Enum):
    """What failed; the values are those of the status and of the metric's label."""

    TRANSFER = "transfer"  # the server can't be reached, or answers as none should
    TOO_LARGE = "too_large"  # more bytes than were announced, or than are allowed
    TOO_SLOW = "too_slow"  # not done within its deadline
    EXPIRED = "expired"  # metadata has expired: a freeze, a centre that stopped, or our clock
    ROLLBACK = "rollback"  # older metadata than what is known
    SIGNATURE = "signature"  # not signed by enough of the keys of its role
    MISMATCH = "mismatch"  # bytes that are not those that the metadata announces
    REPOSITORY = "repository"  # metadata of no known form, or that lacks a role or a target
    BUNDLE = "bundle"  # what is signed is no bundle or delta for what is in force
    LOCAL = "local"  # a file or a directory of this host


class SyncFailed(AuthmwError):
    """A sync failed; what was in force stays in force.

    Args:
        kind: what failed.
        reason: what happened, with which role or target, and what to do.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        # It may quote a mirror, and is shown in the log, by `status` and by the doctor.
        self.reason = printable(reason, _LONGEST_REASON)
        super().__init__(self.reason)
        self.kind = kind


class AlreadyRunning(AuthmwError):
    """Another process syncs the same bundle."""

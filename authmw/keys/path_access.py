"""Follows a path as the kernel does, and finds who can change where it leads."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass

from authmw.keys.listing import ROOT, Access, Flaw, judge_access
from authmw.keys.mounts import Mounts

_MOST_LINKS = 40  # as Linux has it (path_resolution(7))


@dataclass(frozen=True, slots=True)
class Followed:
    """Where a path leads."""

    path: str
    """Absolute, without links."""
    found: os.stat_result
    """Of what is there."""
    flaws: tuple[Flaw, ...]
    """Who can put something else there; what is there is not judged."""
    trail: tuple[object, ...]
    """Every directory and link on the way, described so that any change of them shows."""


class PathJudge:
    """Judges paths for one reading of a key directory; it looks at each place once.

    Args:
        our_id: effective user id of the process that reads.
        mounts: that it sees.
    """

    def __init__(self, our_id: int, mounts: Mounts) -> None:
        self._our_id = our_id
        self._trusted = (ROOT, our_id)
        self._mounts = mounts
        self._found: dict[str, os.stat_result] = {}
        self._targets: dict[str, str] = {}
        self._flaws: dict[str, Flaw | None] = {}

    def judge(self, path: str, found: os.stat_result) -> Access:
        """Say who can change a file or directory itself.

        Args:
            path: as in `Followed`.
            found: of it.
        """
        access = judge_access(found.st_mode, found.st_uid, our_id=self._our_id)
        if access is not Access.PROTECTED and self._mounts.is_read_only(path):
            return Access.PROTECTED
        return access

    def follow(self, path: str, start: str = "/") -> Followed:
        """Follow a path through all its links.

        Args:
            path: absolute, or seen from `start`.
            start: absolute, without links.

        Raises:
            OSError: as the kernel would, with the same number.
        """
        names = deque(path.split("/"))
        current = "/" if path.startswith("/") else start
        found = self._look(current)
        flaws: dict[Flaw, None] = {}
        trail: list[object] = []
        links = 0
        while names:
            name = names.popleft()
            if not stat.S_ISDIR(found.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), current)
            if name in ("", "."):
                continue
            if name == "..":
                current = os.path.dirname(current)
                found = self._look(current)
                continue
            entry = os.path.join(current, name)
            found_entry = self._look(entry)
            trail.append((current, found.st_mode, found.st_uid, found.st_dev, found.st_ino))
            flaw = self._judge_entry(current, found, entry, found_entry)
            if flaw is not None:
                flaws[flaw] = None
            if stat.S_ISLNK(found_entry.st_mode):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), entry)
                target = self._read_link(entry)
                trail.append((entry, target, found_entry.st_uid, found_entry.st_ctime_ns))
                names.extendleft(reversed(target.split("/")))
                if target.startswith("/"):
                    current = "/"
                    found = self._look(current)
            else:
                current, found = entry, found_entry
        return Followed(current, found, tuple(flaws), tuple(trail))

    def _judge_entry(
        self, directory: str, found: os.stat_result, entry: str, found_entry: os.stat_result
    ) -> Flaw | None:
        """Say who can put something else in the place of a directory's entry."""
        if entry not in self._flaws:
            flaw = self._find_flaw(directory, found, entry, found_entry)
            if flaw is not None and (
                self._mounts.is_mount_point(entry) or self._mounts.is_read_only(directory)
            ):
                flaw = None
            self._flaws[entry] = flaw
        return self._flaws[entry]

    def _find_flaw(
        self, directory: str, found: os.stat_result, entry: str, found_entry: os.stat_result
    ) -> Flaw | None:
        access = judge_access(found.st_mode, found.st_uid, our_id=self._our_id)
        if found.st_mode & stat.S_ISVTX and access is not Access.PROTECTED:
            # Only the owners of the two, and root, move or remove it (unlink(2)).
            if access is Access.WORLD_WRITABLE and found_entry.st_uid not in self._trusted:
                return Flaw(entry, Access.ANYONES)
            if found_entry.st_uid not in self._trusted:
                return Flaw(entry, Access.OWNED_BY_ANOTHER)
            is_ours = found.st_uid in self._trusted
            access = Access.PROTECTED if is_ours else Access.OWNED_BY_ANOTHER
        return None if access is Access.PROTECTED else Flaw(directory, access)

    def _look(self, path: str) -> os.stat_result:
        found = self._found.get(path)
        if found is None:
            self._found[path] = found = os.lstat(path)
        return found

    def _read_link(self, path: str) -> str:
        target = self._targets.get(path)
        if target is None:
            self._targets[path] = target = os.readlink(path)
        return target

"""Resolves a path as the kernel does (path_resolution(7)), to find who can redirect it."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass

from authmw.keys.mounts import Mounts
from authmw.keys.write_access import ROOT, UnsafeComponent, WriteAccess, classify_access

_MOST_LINKS = 40  # the limit of Linux, path_resolution(7)


@dataclass(frozen=True, slots=True)
class ResolvedPath:
    """Where a path leads."""

    path: str
    """Absolute, without links."""
    status: os.stat_result
    """Of the file or directory at `path`."""
    unsafe_components: tuple[UnsafeComponent, ...]
    """Through which others can replace what is at `path`; write access to it is not among them."""
    components: tuple[object, ...]
    """Every directory and link that was passed; unequal if any of them has changed."""


class PathResolver:
    """Resolves paths for one scan of a key directory; it calls lstat(2) once for each place.

    Args:
        our_id: effective user id of the process that reads.
        mounts: that it sees.
    """

    def __init__(self, our_id: int, mounts: Mounts) -> None:
        self._our_id = our_id
        self._trusted = (ROOT, our_id)
        self._mounts = mounts
        self._statuses: dict[str, os.stat_result] = {}
        self._targets: dict[str, str] = {}
        self._unsafe: dict[str, UnsafeComponent | None] = {}

    def find_access(self, path: str, status: os.stat_result) -> WriteAccess:
        """Tell who can write to a file or directory itself.

        Args:
            path: absolute, without links.
            status: of what is there.
        """
        access = classify_access(status.st_mode, status.st_uid, our_id=self._our_id)
        if access is not WriteAccess.PROTECTED and self._mounts.is_read_only(path):
            return WriteAccess.PROTECTED
        return access

    def resolve(self, path: str, start: str = "/") -> ResolvedPath:
        """Follow a path through all its links.

        Args:
            path: absolute, or relative to `start`.
            start: absolute, without links.

        Raises:
            OSError: as the kernel would, with the same number.
        """
        names = deque(path.split("/"))
        current = "/" if path.startswith("/") else start
        status = self._lstat(current)
        unsafe: dict[UnsafeComponent, None] = {}
        components: list[object] = []
        links = 0
        while names:
            name = names.popleft()
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), current)
            if name in ("", "."):
                continue
            if name == "..":
                current = os.path.dirname(current)
                status = self._lstat(current)
                continue
            entry = os.path.join(current, name)
            entry_status = self._lstat(entry)
            components.append(
                (current, status.st_mode, status.st_uid, status.st_dev, status.st_ino)
            )
            component = self._judge_entry(current, status, entry, entry_status)
            if component is not None:
                unsafe[component] = None
            if stat.S_ISLNK(entry_status.st_mode):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), entry)
                target = self._read_link(entry)
                components.append((entry, target, entry_status.st_uid, entry_status.st_ctime_ns))
                names.extendleft(reversed(target.split("/")))
                if target.startswith("/"):
                    current = "/"
                    status = self._lstat(current)
            else:
                current, status = entry, entry_status
        return ResolvedPath(current, status, tuple(unsafe), tuple(components))

    def _judge_entry(
        self,
        directory: str,
        status: os.stat_result,
        entry: str,
        entry_status: os.stat_result,
    ) -> UnsafeComponent | None:
        """Tell who can replace a directory's entry."""
        if entry not in self._unsafe:
            component = self._find_unsafe(directory, status, entry, entry_status)
            if component is not None and (
                self._mounts.is_mount_point(entry) or self._mounts.is_read_only(directory)
            ):
                component = None
            self._unsafe[entry] = component
        return self._unsafe[entry]

    def _find_unsafe(
        self,
        directory: str,
        status: os.stat_result,
        entry: str,
        entry_status: os.stat_result,
    ) -> UnsafeComponent | None:
        access = classify_access(status.st_mode, status.st_uid, our_id=self._our_id)
        if status.st_mode & stat.S_ISVTX and access is not WriteAccess.PROTECTED:
            # Only the owners of the two, and root, may move or remove the entry (unlink(2)).
            if entry_status.st_uid not in self._trusted:
                if access is WriteAccess.WORLD_WRITABLE:
                    return UnsafeComponent(entry, WriteAccess.OWNED_BY_ANOTHER_IN_OPEN_DIRECTORY)
                return UnsafeComponent(entry, WriteAccess.OWNED_BY_ANOTHER)
            is_ours = status.st_uid in self._trusted
            access = WriteAccess.PROTECTED if is_ours else WriteAccess.OWNED_BY_ANOTHER
        return None if access is WriteAccess.PROTECTED else UnsafeComponent(directory, access)

    def _lstat(self, path: str) -> os.stat_result:
        status = self._statuses.get(path)
        if status is None:
            self._statuses[path] = status = os.lstat(path)
        return status

    def _read_link(self, path: str) -> str:
        target = self._targets.get(path)
        if target is None:
            self._targets[path] = target = os.readlink(path)
        return target

"""Finds files that nobody can write to, whatever their mode: those on read-only mounts."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class _Mount:
    """One line of /proc/self/mountinfo (proc(5))."""

    device: str
    root: str
    """The directory of the file system that is seen at `point`."""
    point: str
    is_read_only: bool
    is_file_system_read_only: bool


def _read_mountinfo() -> str:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _find_mount_id(path: str) -> int | None:
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
            lines = file.read().splitlines()
    finally:
        os.close(descriptor)
    ids = (line.split()[1] for line in lines if line.startswith("mnt_id:"))
    return next(map(int, ids), None)


class Mounts:
    """The mounts that this process sees, read at first use.

    Args:
        read: returns the text of /proc/self/mountinfo.
        find: returns the id of the mount that a path is on.
    """

    def __init__(
        self,
        read: Callable[[], str] = _read_mountinfo,
        find: Callable[[str], int | None] = _find_mount_id,
    ) -> None:
        self._read = read
        self._find = find

    def is_read_only(self, path: str) -> bool:
        """Tell whether nobody can write to a file or directory, as far as this process can see.

        True on a file system that is read-only as a whole, and on a read-only mount unless another
        mount that this process sees is writable and shows the same part of the file system. False
        where /proc is not mounted.

        Args:
            path: absolute, without links.
        """
        try:
            mount_id = self._find(path)
        except FileNotFoundError:
            return False
        mount = None if mount_id is None else self._mounts.get(mount_id)
        if mount is None:
            return False
        if mount.is_file_system_read_only:
            return True
        if not mount.is_read_only or not _is_within(path, mount.point):
            return False
        place = os.path.normpath(os.path.join(mount.root, os.path.relpath(path, mount.point)))
        return not any(
            other.device == mount.device
            and not other.is_read_only
            and _is_within(place, other.root)
            for other in self._mounts.values()
        )

    def is_mount_point(self, path: str) -> bool:
        """Tell whether a path is a mount point, which can't be moved or removed."""
        return any(mount.point == path for mount in self._mounts.values())

    @functools.cached_property
    def _mounts(self) -> dict[int, _Mount]:
        try:
            text = self._read()
        except FileNotFoundError:
            return {}
        mounts = {}
        for line in text.splitlines():
            fields, _, about_file_system = line.partition(" - ")
            if not about_file_system:
                continue
            number, _, device, root, point, options, *_ = fields.split(" ")
            mounts[int(number)] = _Mount(
                device,
                _unescape(root),
                _unescape(point),
                "ro" in options.split(","),
                "ro" in about_file_system.split(" ")[2].split(","),
            )
        return mounts


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda escape: chr(int(escape[1], 8)), text)

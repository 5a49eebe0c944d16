"""Reads public keys from the files of a directory (`jws_public_key_repository`)."""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
from dataclasses import dataclass

from authmw.errors import KeysUnreadable
from authmw.keys.key_files import OTHER_ENDING, KeyFile, is_key_file_name, parse_key_files
from authmw.keys.mounts import Mounts
from authmw.keys.path_access import PathResolver, ResolvedPath
from authmw.keys.source import FoundKeys
from authmw.keys.write_access import WriteAccess, printable

MAX_FILE_SIZE = 1 << 20
"""Octets; a JWK set of a thousand RSA keys fits."""
POLL_SECONDS = 3.0
"""Between planned readings."""

# Errors that concern one file. Any other (EMFILE, EIO, ESTALE) says nothing about the keys,
# so the directory counts as unreadable, and the keys read before stay in use.
_ONE_FILE_ERRORS = {
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENXIO,
}
# Errors of a directory or file that is replaced while it is read.
_REPLACEMENT_ERRORS = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}
# A file may change twice within the granularity of its time stamps, and the second change does
# not show. So files that are younger than this are read again the next time.
_SETTLED_AFTER_SECONDS = 2.0


class KeyDirectory:
    """Reads the files of one directory: PEM, JWK or JWK set.

    Each reading replaces the one before: a key that is no longer in the directory is no longer
    used. Names that begin with a dot are skipped, and so are subdirectories; files whose names are
    not those of key files (`is_key_file_name`) are logged. Symbolic links are followed at every
    reading, so that a swapped Kubernetes mount is noticed. A reading calls lstat(2) on every file
    and on each directory and link that leads to it, and opens the files only if something has
    changed.

    Args:
        path: of the directory.
        early_interval_seconds: least time between the readings that tokens may cause.
    """

    option = "jws_public_key_repository"
    retry_seconds = POLL_SECONDS
    # A busy machine may take long to start a thread; only a network file system takes longer.
    first_wait_seconds = 5.0

    def __init__(self, path: str, *, early_interval_seconds: float = 1.0) -> None:
        self.location = path
        self.early_interval_seconds = early_interval_seconds
        # The state of the directory at the last reading, and the keys found.
        self._last: tuple[_DirectoryState, FoundKeys] | None = None

    def read(self, now: float) -> FoundKeys:
        """Read the directory unless it is as it was at the last reading.

        Raises:
            KeysUnreadable: it can't be read, or accounts that are not trusted can change it.
        """
        try:
            try:
                state, found = self._read_changes()
            except OSError as error:
                if error.errno not in _REPLACEMENT_ERRORS:
                    raise
                state, found = self._read_changes()
        except (OSError, _DirectoryRefused) as error:
            self._last = None
            reason = error.strerror if isinstance(error, OSError) else None
            raise KeysUnreadable(f"can't be used ({reason or error})") from error
        self._last = (state, found) if state.is_settled(now) else None
        return found

    def _read_changes(self) -> tuple[_DirectoryState, FoundKeys]:
        # Scanned before it is read: a change in between shows in the next scan.
        state, resolver = _scan(self.location)
        if self._last is not None and self._last[0].change_key == state.change_key:
            return self._last
        return state, _read_files(state, resolver)


class _DirectoryRefused(Exception):
    """Any account could add or replace keys in the directory."""


@dataclass(frozen=True, slots=True)
class _FileState:
    """One file of the directory, not opened yet."""

    name: str
    resolved: ResolvedPath | None = None
    access: WriteAccess = WriteAccess.PROTECTED
    error: str | None = None

    @property
    def change_key(self) -> tuple[object, ...]:
        """Unequal if the file, its place or who can change it has changed."""
        if self.resolved is None:
            return (self.name, self.error)
        status = self.resolved.status
        return (
            self.name,
            self.access,
            self.resolved.unsafe_components,
            self.resolved.components,
            status.st_ctime_ns,  # no call sets this one; it covers mode and owner too
            status.st_mtime_ns,
            status.st_size,
            status.st_dev,
            status.st_ino,
        )


@dataclass(frozen=True, slots=True)
class _DirectoryState:
    """A directory and its files, not opened yet."""

    resolved: ResolvedPath
    access: WriteAccess
    files: tuple[_FileState, ...]
    change_key: tuple[object, ...]
    """Unequal if any key, or who can change one, may have changed."""

    def is_settled(self, now: float) -> bool:
        """Tell whether every change of a file from now on shows in `change_key`."""
        changed_ns = max(
            (file.resolved.status.st_ctime_ns for file in self.files if file.resolved is not None),
            default=0,
        )
        return changed_ns < (now - _SETTLED_AFTER_SECONDS) * 1e9


def _scan(path: str) -> tuple[_DirectoryState, PathResolver]:
    """Resolve the paths to a directory and its files."""
    resolver = PathResolver(os.geteuid(), Mounts())
    resolved = resolver.resolve(path, "/" if path.startswith("/") else os.getcwd())
    status = resolved.status
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    access = resolver.find_access(resolved.path, status)
    with os.scandir(resolved.path) as entries:
        files = [
            _scan_file(resolved.path, entry.name, resolver)
            for entry in entries
            if not entry.name.startswith(".") and (is_key_file_name(entry.name) or _is_file(entry))
        ]
    files.sort(key=lambda file: file.name)
    change_key = (
        resolved.path,
        resolved.components,
        resolved.unsafe_components,
        access,
        (status.st_mode, status.st_uid, status.st_ino),
        tuple(file.change_key for file in files),
    )
    return _DirectoryState(resolved, access, tuple(files), change_key), resolver


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.is_dir()
    except OSError:  # a link that leads nowhere
        return True


def _scan_file(directory: str, name: str, resolver: PathResolver) -> _FileState:
    if not is_key_file_name(name):
        return _FileState(name, error=OTHER_ENDING)
    try:
        resolved = resolver.resolve(name, directory)
    except OSError as error:
        if error.errno not in _ONE_FILE_ERRORS:
            raise
        return _FileState(name, error=f"can't be read ({error.strerror})")
    # Who can write to the key directory is judged once, for all files in it.
    elsewhere = tuple(one for one in resolved.unsafe_components if one.path != directory)
    resolved = dataclasses.replace(resolved, unsafe_components=elsewhere)
    return _FileState(name, resolved, resolver.find_access(resolved.path, resolved.status))


def _read_files(state: _DirectoryState, resolver: PathResolver) -> FoundKeys:
    """Open and parse every file of a directory that was scanned."""
    _refuse_if_open(state)
    files = (_read_file(file, resolver) for file in state.files)
    found = parse_key_files(
        (file for file in files if file is not None), fresh_seconds=POLL_SECONDS
    )
    warnings = [component.describe("it") for component in state.resolved.unsafe_components]
    if state.access.is_doubtful:
        warnings.append(f"the directory is {state.access.value}")
    return dataclasses.replace(found, warnings=(*warnings, *found.warnings))


def _refuse_if_open(state: _DirectoryState) -> None:
    if state.access.is_refused:
        raise _DirectoryRefused(f"it is {state.access.value}: anyone could add a key; chmod o-w")
    for component in state.resolved.unsafe_components:
        if component.access.is_refused:
            is_writable = component.access is WriteAccess.WORLD_WRITABLE
            fix = "chmod o-w" if is_writable else "chown -h root"
            raise _DirectoryRefused(
                f"{component.describe('it')}: anyone could put other keys in its place; "
                f"{fix} {printable(component.path)}"
            )


def _read_file(file: _FileState, resolver: PathResolver) -> KeyFile | None:
    """Read one file; None for a subdirectory, which is not searched."""
    resolved, name = file.resolved, file.name
    if resolved is None:
        return KeyFile(name, error=file.error)
    expected = resolved.status
    if stat.S_ISDIR(expected.st_mode):
        return None
    # Judged before it is opened: opening a device or a FIFO may do something, or wait.
    if not stat.S_ISREG(expected.st_mode):
        return KeyFile(name, error="not a regular file")
    try:
        # O_NONBLOCK: if a FIFO has replaced the file, opening it would wait for a writer.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(resolved.path, flags)
    except OSError as error:
        if error.errno not in _ONE_FILE_ERRORS or error.errno in _REPLACEMENT_ERRORS:
            raise
        return KeyFile(name, error=f"can't be read ({error.strerror})")
    try:
        # Of the open file, since another may be at the path by now.
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != (expected.st_dev, expected.st_ino):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), resolved.path)
        with open(descriptor, "rb", closefd=False) as opened:
            document = opened.read(MAX_FILE_SIZE + 1)
        access = resolver.find_access(resolved.path, status)
    finally:
        os.close(descriptor)
    if len(document) > MAX_FILE_SIZE:
        return KeyFile(name, error=f"larger than {MAX_FILE_SIZE} octets")
    return KeyFile(name, document, status.st_mtime_ns, access, resolved.unsafe_components)

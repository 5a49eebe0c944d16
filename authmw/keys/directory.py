"""Public keys in a directory (`jws_public_key_repository`): the reading of files."""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from authmw.errors import DirectoryRefused
from authmw.jose.key_set import KeySet
from authmw.jose.primitives import require_cryptography
from authmw.keys.changes import KeyChanges
from authmw.keys.last_good import LastGoodKeys
from authmw.keys.listing import (
    OTHER_ENDING,
    Access,
    KeyFile,
    Listing,
    is_key_file_name,
    judge_files,
)
from authmw.keys.mounts import Mounts
from authmw.keys.path_access import Followed, PathJudge
from authmw.keys.reloads import Reloads

_log = logging.getLogger(__name__)

T = TypeVar("T")

OPTION = "jws_public_key_repository"
MAX_FILE_SIZE = 1 << 20
"""Octets; a JWK set of a thousand RSA keys fits."""

# Errors that concern one file. Any other (EMFILE, EIO, ESTALE) says nothing about the keys,
# so the directory counts as unreadable and the last good keys stay.
_ONE_FILE = {
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENXIO,
}
# A file changed within the clock's granularity of its last change looks unchanged: what is
# younger than this is read again at the next reload.
_SETTLED_AFTER_SECONDS = 2.0

# Errors of a directory or file that is being replaced while it is looked at.
_SWAPPED = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}


class KeyDirectory(KeyChanges):
    """The public keys in the files of one directory: PEM, JWK or JWK set.

    A directory that can be read is the truth: what is not in it is not a key. Names that
    begin with a dot are skipped, and so are subdirectories; other names than those of key
    files (`is_key_file_name`) are logged. Symbolic links are followed at every reload, so that a
    swapped Kubernetes mount is noticed. A reload looks at every file's stat, at each directory
    and link that leads to it, and reads the files only if something changed.

    Args:
        path: of the directory.
        max_age_seconds: how long the last good keys are used while it can't be read.
        poll_interval_seconds: between planned reloads.
        early_reload_interval_seconds: between reloads that tokens may cause.
        accepted_algorithms: what `jws_accepted_algorithms` says, for a warning.

    Raises:
        ConfigurationError: `cryptography` can't be imported. The directory is first looked
            at by `reload`.
    """

    def __init__(
        self,
        path: str,
        *,
        max_age_seconds: float,
        poll_interval_seconds: float = 3.0,
        early_reload_interval_seconds: float = 1.0,
        accepted_algorithms: frozenset[str] | None = None,
    ) -> None:
        super().__init__()
        require_cryptography(OPTION, path)
        self._path = path
        self._poll_interval_seconds = min(poll_interval_seconds, max_age_seconds / 2)
        self._last_good = LastGoodKeys(
            OPTION, path, max_age_seconds, self.count_change, accepted_algorithms
        )
        self._reloads = Reloads(
            OPTION, self._read_now, early_interval_seconds=early_reload_interval_seconds
        )
        self._seen: tuple[_Survey, KeySet] | None = None
        self._reported: Listing | None = None
        self._reload_at = float("-inf")

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next planned reload."""
        return min(self._reload_at, self._last_good.expires_at)

    def current(self, now: float) -> KeySet:
        """Return the keys in use, without I/O.

        Raises:
            IdentityUnavailable: there are none, or they are too old to be trusted.
        """
        return self._last_good.current(now)

    def reload_early(self, now: float) -> KeySet | None:
        """Reload for a token that no key verifies.

        None when that is refused as too soon, or takes longer than a request may wait.
        """
        if not self._reloads.run_early(now, is_failing=self._last_good.is_failing):
            return None
        return self.current(now)

    def reload(self, now: float) -> None:
        """Look for changes and read the files if there are any. Raises nothing."""
        self._last_good.expire(now)
        self._reload_at = now + self._poll_interval_seconds
        self._reloads.run(now, is_failing=self._last_good.is_failing)

    def _read_now(self, now: float) -> None:
        try:
            survey, keys = _twice(self._find_keys)
        except (OSError, DirectoryRefused) as error:
            self._seen = None
            reason = error.strerror if isinstance(error, OSError) else None
            self._last_good.lose(f"can't be used ({reason or error})")
            return
        self._last_good.accept(keys, now)
        # Kept as a pair: of two threads that reload at once, either may come last, and the
        # next reload must see for which files the keys are.
        self._seen = (survey, keys) if survey.is_settled(now) else None

    def _find_keys(self) -> tuple[_Survey, KeySet]:
        """Look at the directory, and read it unless it looks as it did before."""
        seen = self._seen
        # Looked at before reading: what changes in between will differ the next time.
        survey, judge = _look_at(self._path)
        if seen is not None and survey == seen[0]:
            return seen
        listing = _read_files(survey, judge)
        self._report(listing)
        return survey, KeySet(listing.keys)

    def _report(self, listing: Listing) -> None:
        """Log what is new to say about the directory, once."""
        if listing == self._reported:
            return
        self._reported = listing
        for skipped in listing.skipped:
            level = logging.CRITICAL if skipped.is_private else logging.WARNING
            _log.log(level, "%s: %s is not used: %s", self._path, skipped.source, skipped.reason)
        for warning in listing.warnings:
            _log.warning("%s: %s", self._path, warning)
        _log.info(
            "%s: %d public keys: %s",
            self._path,
            len(listing.keys),
            ", ".join(
                f"{key.source} ({key.algorithm.name}, {key.thumbprint})" for key in listing.keys
            ),
        )


def read_directory(path: str) -> Listing:
    """Read and judge every key file of a directory.

    Raises:
        OSError: it can't be read, or a file of it for a reason that is not the file's.
        DirectoryRefused: anyone could put a key there.
    """
    return _twice(lambda: _read_files(*_look_at(path)))


def _twice(work: Callable[[], T]) -> T:
    """Do it again if the directory or a file of it was replaced meanwhile."""
    try:
        return work()
    except OSError as error:
        if error.errno not in _SWAPPED:
            raise
        return work()


@dataclass(frozen=True, slots=True)
class _Found:
    """One file of the directory, looked at."""

    name: str
    way: Followed | None = None
    access: Access = Access.PROTECTED
    trouble: str | None = None

    def describe(self) -> tuple[object, ...]:
        """Return what changes with the file, who can change it, and where it is."""
        if self.way is None:
            return (self.name, self.trouble)
        found = self.way.found
        return (
            self.name,
            self.access,
            self.way.flaws,
            self.way.trail,
            found.st_ctime_ns,  # nobody can set this one; it covers mode and owner too
            found.st_mtime_ns,
            found.st_size,
            found.st_dev,
            found.st_ino,
        )


@dataclass(frozen=True, slots=True)
class _Survey:
    """A directory and its files, looked at and not read."""

    way: Followed = field(compare=False)
    access: Access
    files: tuple[_Found, ...] = field(compare=False)
    description: tuple[object, ...]
    """Other than the last one's if any key, or who can change one, may have changed."""

    def is_settled(self, now: float) -> bool:
        """Whether every change of a file from now on shows in the description."""
        changed_ns = max(
            (file.way.found.st_ctime_ns for file in self.files if file.way is not None), default=0
        )
        return changed_ns < (now - _SETTLED_AFTER_SECONDS) * 1e9


def _read_files(survey: _Survey, judge: PathJudge) -> Listing:
    """Read and judge every file of a directory that was looked at."""
    _refuse_if_open(survey)
    files = (_read_file(found, judge) for found in survey.files)
    listing = judge_files(file for file in files if file is not None)
    warnings = [
        f"{flaw.path}, on the way to it, is {flaw.access.value}" for flaw in survey.way.flaws
    ]
    if survey.access.is_doubtful:
        warnings.append(f"the directory is {survey.access.value}")
    return Listing(listing.keys, listing.skipped, (*warnings, *listing.warnings))


def _refuse_if_open(survey: _Survey) -> None:
    access = survey.access
    if access.is_refused:
        raise DirectoryRefused(f"it is {access.value}: anyone could add a key; chmod o-w")
    for flaw in survey.way.flaws:
        if flaw.access.is_refused:
            fix = "chmod o-w" if flaw.access is Access.WORLD_WRITABLE else "chown -h root"
            raise DirectoryRefused(
                f"{flaw.path}, on the way to it, is {flaw.access.value}: anyone could put other "
                f"keys in its place; {fix} {flaw.path}"
            )


def _look_at(path: str) -> tuple[_Survey, PathJudge]:
    """Look at a directory, its files, and all that leads to them."""
    judge = PathJudge(os.geteuid(), Mounts())
    way = judge.follow(path, "/" if path.startswith("/") else os.getcwd())
    if not stat.S_ISDIR(way.found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    access = judge.judge(way.path, way.found)
    with os.scandir(way.path) as entries:
        files = [
            _look_at_file(way.path, entry.name, judge)
            for entry in entries
            if not entry.name.startswith(".") and (is_key_file_name(entry.name) or _is_file(entry))
        ]
    files.sort(key=lambda file: file.name)
    described = tuple(file.describe() for file in files)
    own = (way.path, way.trail, way.flaws, way.found.st_mode, way.found.st_uid, way.found.st_ino)
    return _Survey(way, access, tuple(files), (own, described)), judge


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.is_dir()
    except OSError:  # a link that leads nowhere
        return True


def _look_at_file(directory: str, name: str, judge: PathJudge) -> _Found:
    if not is_key_file_name(name):
        return _Found(name, trouble=OTHER_ENDING)
    try:
        way = judge.follow(name, directory)
    except OSError as error:
        if error.errno not in _ONE_FILE:
            raise
        return _Found(name, trouble=f"can't be read ({error.strerror})")
    # Who can write to the key directory is judged once, for all that is in it.
    flaws = tuple(flaw for flaw in way.flaws if flaw.path != directory)
    way = dataclasses.replace(way, flaws=flaws)
    return _Found(name, way, judge.judge(way.path, way.found))


def _read_file(file: _Found, judge: PathJudge) -> KeyFile | None:
    """Read one file; None for a subdirectory, where keys are not looked for."""
    way, name = file.way, file.name
    if way is None:
        return KeyFile(name, trouble=file.trouble)
    try:
        # O_NONBLOCK: opening a FIFO would wait for a writer.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(way.path, flags)
    except OSError as error:
        if error.errno not in _ONE_FILE or error.errno in _SWAPPED:
            raise
        return KeyFile(name, trouble=f"can't be read ({error.strerror})")
    try:
        # Of the open file, so that what is judged is what is read, whatever a link says now.
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != (way.found.st_dev, way.found.st_ino):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), way.path)
        if stat.S_ISDIR(found.st_mode):
            return None
        if not stat.S_ISREG(found.st_mode):
            return KeyFile(name, trouble="not a regular file")
        with open(descriptor, "rb", closefd=False) as opened:
            document = opened.read(MAX_FILE_SIZE + 1)
        access = judge.judge(way.path, found)
    finally:
        os.close(descriptor)
    if len(document) > MAX_FILE_SIZE:
        return KeyFile(name, trouble=f"larger than {MAX_FILE_SIZE} octets")
    return KeyFile(name, document, found.st_mtime_ns, access, way.flaws)

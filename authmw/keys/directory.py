"""Public keys in a directory (`jws_public_key_repository`): the reading of files."""

from __future__ import annotations

import errno
import logging
import os
import stat

from authmw.jose.key_set import KeySet
from authmw.jose.primitives import require_cryptography
from authmw.keys.changes import KeyChanges
from authmw.keys.last_good import LastGoodKeys
from authmw.keys.listing import Access, KeyFile, Listing, judge_access, judge_files
from authmw.keys.reloads import Reloads

_log = logging.getLogger(__name__)

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

_Signature = dict[str, tuple[int, ...]]


class DirectoryRefused(Exception):
    """The directory must not be trusted."""


class KeyDirectory(KeyChanges):
    """The public keys in the files of one directory: PEM, JWK or JWK set, whatever their name.

    A directory that can be read is the truth: what is not in it is not a key. Names that
    begin with a dot are skipped, and so are subdirectories; symbolic links are followed at
    every reload, so that a swapped Kubernetes mount is noticed. A reload looks at every
    file's stat and reads the files only if something changed.

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
        self._seen: tuple[_Signature, KeySet] | None = None
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
        seen = self._seen
        try:
            # Looked at before reading: what changes in between will differ the next time.
            signature = _scan(self._path)
            if seen is not None and signature == seen[0]:
                self._last_good.accept(seen[1], now)
                return
            listing = read_directory(self._path)
        except (OSError, DirectoryRefused) as error:
            self._seen = None
            reason = error.strerror if isinstance(error, OSError) else None
            self._last_good.lose(f"can't be used ({reason or error})")
            return
        self._report(listing)
        keys = KeySet(listing.keys)
        self._last_good.accept(keys, now)
        # Kept as a pair: of two threads that reload at once, either may come last, and the
        # next reload must see for which files the keys are.
        self._seen = (signature, keys) if _is_settled(signature, now) else None

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
    access = _judge(os.stat(path), path)
    if access is Access.WORLD_WRITABLE:
        raise DirectoryRefused(f"it is {access.value}: anyone could add a key; chmod o-w")
    files = (_read_file(path, name) for name in _list_names(path))
    listing = judge_files(file for file in files if file is not None)
    if access.is_doubtful:
        warning = f"the directory is {access.value}"
        return Listing(listing.keys, listing.skipped, (warning, *listing.warnings))
    return listing


def _list_names(path: str) -> list[str]:
    return [name for name in os.listdir(path) if not name.startswith(".")]


def _scan(path: str) -> _Signature:
    """Describe the directory so that a change of any key file changes the description."""
    directory = os.stat(path)
    signature: _Signature = {"": (directory.st_mode, directory.st_uid)}
    for name in _list_names(path):
        try:
            found = os.stat(os.path.join(path, name))
        except OSError as error:
            if error.errno not in _ONE_FILE:
                raise
            signature[name] = ()
        else:
            signature[name] = (
                found.st_ctime_ns,  # nobody can set this one; it covers mode and owner too
                found.st_mtime_ns,
                found.st_size,
                found.st_dev,
                found.st_ino,
            )
    return signature


def _is_settled(signature: _Signature, now: float) -> bool:
    changed_ns = max((file[0] for name, file in signature.items() if name and file), default=0)
    return changed_ns < (now - _SETTLED_AFTER_SECONDS) * 1e9


def _read_file(directory: str, name: str) -> KeyFile | None:
    """Read one file; None for a subdirectory, where keys are not looked for."""
    path = os.path.join(directory, name)
    try:
        # O_NONBLOCK: opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _ONE_FILE:
            raise
        return KeyFile(name, trouble=f"can't be read ({error.strerror})")
    try:
        # Of the open file, so that what is judged is what is read, whatever a link says now.
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            return None
        if not stat.S_ISREG(found.st_mode):
            return KeyFile(name, trouble="not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            document = file.read(MAX_FILE_SIZE + 1)
        access = _judge(found, descriptor)
    finally:
        os.close(descriptor)
    if len(document) > MAX_FILE_SIZE:
        return KeyFile(name, trouble=f"larger than {MAX_FILE_SIZE} octets")
    return KeyFile(name, document, found.st_mtime_ns, access)


def _judge(found: os.stat_result, place: str | int) -> Access:
    """Judge the access to a path or an open file."""
    is_read_only_mount = bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    return judge_access(
        found.st_mode,
        found.st_uid,
        our_id=os.geteuid(),
        is_read_only_mount=is_read_only_mount,
    )

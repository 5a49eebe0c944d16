"""Says in plain words what python-tuf, requests or the system refused, and what to do about it.

This is the seam: past it, whatever fails is a `SyncFailed`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from tuf.api import exceptions
from tuf.api.serialization import DeserializationError

from authmw.bundle.sync.errors import Kind, SyncFailed
from authmw.bundle.sync.transport import OddAnswer
from authmw.errors import BundleUnreadable
from authmw.identity.adapter import innermost_reason
from authmw.identity.outcomes import Outcome
from authmw.runtime.printable import printable

_LONGEST_NOTE: Final = 300

_TRANSFERS: Final[Mapping[Outcome, str]] = {
    Outcome.PROXY: "the proxy that the environment names can't be reached, or does not pass this "
    "on: correct the variable, or name the host in no_proxy",
    Outcome.NAME_UNKNOWN: "the host name can't be resolved: correct url, or this host's resolver",
    Outcome.CONNECT_FAILED: "the connection was refused, or there is no way to the host: start the "
    "server there, open the firewall, or correct url",
    Outcome.NO_TLS: "the server does not speak TLS at this port: correct url",
    Outcome.SPEAKS_TLS: "the server speaks TLS at this port: write https:// in url",
    Outcome.TLS: "TLS failed: compare the host in url, cafile, certfile and keyfile with the "
    "server's certificate",
    Outcome.CONNECT_TIMEOUT: "the connection was not accepted in time: look at the firewall and "
    "the server there, or correct url",
    Outcome.READ_TIMEOUT: "the server fell silent: look at the server and its log",
    Outcome.BODY_CUT: "the answer ended too early: look at the server and what is before it",
}
_BROKEN: Final = "the connection broke, or the server does not speak HTTP: look at the server"


def describe_transfer(error: Exception) -> str:
    """Return why no answer came, and what to do."""
    if isinstance(error, OddAnswer):
        return str(error)
    said = _TRANSFERS.get(Outcome.of_error(error), _BROKEN)
    return f"{said} ({innermost_reason(error)})"


class _Row(NamedTuple):
    error: type[Exception]
    kind: Kind
    advice: str


# The first row that matches applies: subclasses stand above their bases.
_TABLE: Final = (
    _Row(
        exceptions.ExpiredMetadataError,
        Kind.EXPIRED,
        "metadata has expired: the centre does not publish any more, or somebody holds back what "
        "it publishes, or this host's clock is wrong; look at `authmw bundle status` at the "
        "centre, at mirrors, and at the clock",
    ),
    _Row(
        exceptions.BadVersionNumberError,
        Kind.ROLLBACK,
        "other versions of metadata than the newest ones: a mirror has an old copy or a mixture "
        "of two, somebody plays one back, or the centre was restored from a backup; correct the "
        "mirror, or publish anew at the centre",
    ),
    _Row(
        exceptions.UnsignedMetadataError,
        Kind.SIGNATURE,
        "metadata is not signed by enough keys of its role: somebody else wrote it, or a rotation "
        "of keys was published in part; publish anew at the centre, and look who can write to the "
        "server",
    ),
    _Row(
        exceptions.LengthOrHashMismatchError,
        Kind.MISMATCH,
        "the bytes are not those that the signed metadata announces: a mirror has another copy, or "
        "somebody changed it; publish anew, and look who can write to the server",
    ),
    _Row(
        exceptions.DownloadLengthMismatchError,
        Kind.TOO_LARGE,
        "more bytes than the metadata announces, or allows; they were not kept: look at the server",
    ),
    _Row(
        exceptions.SlowRetrievalError,
        Kind.TOO_SLOW,
        "the server is too slow, or somebody slows it down; if the link is that slow, lower "
        "least_bytes_per_second",
    ),
    _Row(
        exceptions.DownloadHTTPError,
        Kind.TRANSFER,
        "the file can't be had there: correct url, or publish to this server",
    ),
    _Row(exceptions.DownloadError, Kind.TRANSFER, ""),
    _Row(
        exceptions.RepositoryError,
        Kind.REPOSITORY,
        "the metadata can't be used: publish anew at the centre",
    ),
    _Row(
        DeserializationError,
        Kind.REPOSITORY,
        "the metadata is no TUF metadata: publish anew at the centre",
    ),
    _Row(BundleUnreadable, Kind.BUNDLE, ""),
    _Row(
        ValueError,
        Kind.REPOSITORY,
        "the metadata can't be used: publish anew at the centre",
    ),
)
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def explained(what: str, last_file: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Raise what fails inside the block as `SyncFailed`.

    Args:
        what: is done there, with which role or target, for the message.
        last_file: returns the name of the file that was fetched last.
    """
    try:
        yield
    except OSError as error:
        raise SyncFailed(Kind.LOCAL, f"{what}: {_describe_system(error)}") from error
    except tuple(row.error for row in _TABLE) as error:
        _, kind, advice = next(row for row in _TABLE if isinstance(error, row.error))
        note = printable(str(error), _LONGEST_NOTE)
        file = last_file()
        if file and kind is not Kind.BUNDLE:
            note = f"{note}; the last file was {file}"
        said = f"{advice} ({note})" if advice else note
        raise SyncFailed(kind, f"{what}: {said}") from error


def _describe_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    said = f"{where}{error.strerror or error}"
    if error.errno in _NO_ROOM:
        return f"{said}: a sync takes up to four times the size of the bundle; make room"
    return said

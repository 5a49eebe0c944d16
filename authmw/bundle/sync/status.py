"""What a sync process says of itself, in a file beside the bundle, and how old that makes it all.

`authmw bundle status`, `authmw doctor` and the metrics read it; the process itself never does, but
for its counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from authmw.bundle.file import hot_path, open_bundle, read_hot
from authmw.bundle.file.header import END_OF_TIME
from authmw.bundle.sync.directory import SyncDirectory
from authmw.errors import BundleUnreadable

FORMAT: Final = 1
_LARGEST: Final = 1 << 20
_MODE: Final = 0o640


@dataclass(slots=True)
class SyncStatus:
    """What the process did. Times are epoch seconds by its clock.

    Attributes:
        site: its name.
        pid: of the process that wrote this.
        poll_seconds, stale_after_seconds: see `SyncConfiguration`.
        last_success_at, last_failure_at: ends of attempts; None: there was none.
        failure_kind, failure: of the last failure; see `SyncFailed`.
        failures_in_a_row: since the last success.
        next_poll_at: None: nobody will (`--once`).
        attempts: by outcome: "success", or the kind of a failure.
        received_bytes: of all bodies.
        roles: version and expiry by role; see `RoleStates`.
    """

    site: str
    pid: int
    poll_seconds: float
    stale_after_seconds: int
    last_success_at: float | None = None
    last_failure_at: float | None = None
    failure_kind: str | None = None
    failure: str | None = None
    failures_in_a_row: int = 0
    next_poll_at: float | None = None
    attempts: dict[str, int] = field(default_factory=dict)
    received_bytes: int = 0
    roles: dict[str, dict[str, int]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it in one step. Raises OSError."""
        write_text(path, json.dumps({"format": FORMAT, **asdict(self)}), _MODE)


def write_text(path: Path, text: str, mode: int) -> None:
    """Replace a small file in one step. Raises OSError."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    # A killed process may have left it; or another user, as a link to what we can write to.
    new.unlink(missing_ok=True)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w") as file:
            file.write(text)
            os.fchmod(descriptor, mode)
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def read_status(path: Path) -> SyncStatus | None:
    """Read the file of a sync process; None: there is none, or none of our form."""
    try:
        with path.open("rb") as file:
            members = json.loads(file.read(_LARGEST))
        if members.pop("format") != FORMAT:
            return None
        status = SyncStatus(**members)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return status if _is_of_form(status) else None


def _is_of_form(status: SyncStatus) -> bool:
    """Tell whether members are of their types: whoever runs the doctor may be another user."""
    numbers = (
        *(status.pid, status.failures_in_a_row, status.received_bytes),
        *(status.poll_seconds, status.stale_after_seconds),
    )
    moments = (status.last_success_at, status.last_failure_at, status.next_poll_at)
    texts = (status.failure_kind, status.failure)
    return (
        _is_text(status.site)
        and all(_is_number(each, 1 << 63) for each in numbers)
        and all(each is None or _is_number(each, END_OF_TIME) for each in moments)
        and all(each is None or _is_text(each) for each in texts)
        and _has_members(status.attempts, lambda each: _is_number(each, 1 << 63))
        and _has_members(status.roles, _is_role)
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_number(value: object, most: int) -> bool:
    # NaN is between none.
    return type(value) in (int, float) and 0 <= cast(float, value) <= most


def _is_role(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"version", "expires_at"}
        and all(_is_number(each, END_OF_TIME) for each in value.values())
    )


def _has_members(value: object, is_right: Callable[[object], bool]) -> bool:
    return isinstance(value, dict) and all(
        _is_text(name) and is_right(member) for name, member in value.items()
    )


@dataclass(frozen=True, slots=True)
class FilesState:
    """What the files say that workers read.

    Attributes:
        revision, digest, read_at: of the bundle; None: there is none that can be used.
        confirmed_revision, confirmed_read_at: the newest revision and time that its facts are known
            to be those of.
        events_revision, events_read_at: of the hot file; None: there is none, or no events.
        fault: why the bundle can't be used; "": it can.
    """

    revision: int | None = None
    digest: str | None = None
    read_at: int | None = None
    confirmed_revision: int | None = None
    confirmed_read_at: int | None = None
    events_revision: int | None = None
    events_read_at: int | None = None
    fault: str = ""


def read_files(bundle: Path) -> FilesState:
    """Read what is in force at a path."""
    try:
        with open_bundle(bundle, cache_kib=0) as opened:
            header = opened.header
    except BundleUnreadable as error:
        return FilesState(fault=str(error))
    revision, read_at = header.origin.revision, header.origin.read_at
    confirmed = (revision, read_at)
    events: tuple[int | None, int | None] = (None, None)
    try:
        hot = read_hot(hot_path(bundle))
    except BundleUnreadable:
        pass
    else:
        origin = hot.header.origin
        if origin.revocation_polled_at is not None:
            events = (origin.revision, origin.revocation_polled_at)
        said = hot.confirmation
        if said is not None and said.digest == header.digest and said.revision >= revision:
            confirmed = (said.revision, said.read_at)
    return FilesState(revision, header.digest.hex(), read_at, *confirmed, *events)


@dataclass(frozen=True, slots=True)
class Report:
    """The whole state of a site at a time.

    Attributes:
        document: as JSON has it.
        old: what is in force and older than it should be, or not there.
        stopped: signs that the process does not sync any more.
        expired: metadata that is trusted no more, so that nothing new can come.
        expiring: metadata that somebody with an offline key has to sign anew before long.
    """

    document: Mapping[str, Any]
    old: tuple[str, ...]
    stopped: tuple[str, ...]
    expired: tuple[str, ...]
    expiring: tuple[str, ...]

    @property
    def stale(self) -> tuple[str, ...]:
        """What is worth an alarm; empty: all is well."""
        return (*self.old, *self.stopped, *self.expired)


def make_report(bundle: Path, now: float) -> Report | None:
    """Describe a site by the files beside a bundle.

    Args:
        bundle: its path.
        now: epoch seconds.

    Returns:
        None: no sync process has ever been here.
    """
    status = read_status(SyncDirectory(bundle).status)
    if status is None:
        return None
    files = read_files(bundle)
    old, stopped = tuple(_find_old(status, files, now)), tuple(_find_stopped(status, now))
    expired = tuple(_find_expired(status, now))
    document = {
        "site": status.site,
        "bundle": str(bundle),
        "revision": files.revision,
        "digest": files.digest,
        "read_at": files.read_at,
        "confirmed_revision": files.confirmed_revision,
        "confirmed_read_at": files.confirmed_read_at,
        "age_seconds": _age(files.confirmed_read_at, now),
        "events_revision": files.events_revision,
        "events_read_at": files.events_read_at,
        "events_age_seconds": _age(files.events_read_at, now),
        "last_success_at": status.last_success_at,
        "last_failure_at": status.last_failure_at,
        "failure_kind": status.failure_kind,
        "failure": status.failure,
        "failures_in_a_row": status.failures_in_a_row,
        "next_poll_at": status.next_poll_at,
        "attempts": status.attempts,
        "received_bytes": status.received_bytes,
        "metadata": status.roles,
        "stale": [*old, *stopped, *expired],
    }
    return Report(document, old, stopped, expired, tuple(_find_expiring(status, now)))


def _age(moment: float | None, now: float) -> int | None:
    return None if moment is None else round(now - moment)


def _find_old(status: SyncStatus, files: FilesState, now: float) -> Iterator[str]:
    if files.fault:
        yield f"there is no bundle in force: {files.fault}"
    most = status.stale_after_seconds
    for what, moment in (
        ("the facts", files.confirmed_read_at),
        ("the revocation events", files.events_read_at),
    ):
        # abs(): after the clock was set back its age is unknown.
        if moment is not None and abs(now - moment) > most:
            yield f"{what} are of {show_time(moment)}, more than {most} seconds from now"


def _find_stopped(status: SyncStatus, now: float) -> Iterator[str]:
    most = status.stale_after_seconds
    if status.last_success_at is None:
        yield "no sync came to its end yet"
    elif abs(now - status.last_success_at) > most:
        yield f"the last sync that came to its end: {show_time(status.last_success_at)}"
    if status.next_poll_at is not None and now > status.next_poll_at + max(60, most):
        yield f"the sync process should have looked at {show_time(status.next_poll_at)}"


def _find_expired(status: SyncStatus, now: float) -> Iterator[str]:
    for role, state in status.roles.items():
        if state["expires_at"] <= now:
            yield f"the metadata of {role} has expired at {show_time(state['expires_at'])}"


# Of these roles somebody with an offline key has to sign anew; the others are signed all the time.
_BY_HAND: Final = ("root", "targets")
_NOTICE_SECONDS: Final = 14 * 86_400


def _find_expiring(status: SyncStatus, now: float) -> Iterator[str]:
    for role, state in status.roles.items():
        if role in _BY_HAND and now < state["expires_at"] <= now + _NOTICE_SECONDS:
            yield f"the metadata of {role} expires at {show_time(state['expires_at'])}"


def show_time(moment: float) -> str:
    """Return epoch seconds for people."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")

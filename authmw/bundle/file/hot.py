"""The hot file beside a bundle: its newest revocation events, and which revision it is current as.

Revocation events come every few seconds, grants twice a minute, and most of the grants do not
change. So the hot file is a small bundle of its own, with rows in `revocation_events` alone, and a
*confirmation*: the row `confirms` in `settings` says that the facts with a state digest are those
of a later revision as well.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authmw.bundle.facts import TABLES, TABLES_BY_NAME, pack_json
from authmw.bundle.file.database import open_for_reading, open_for_writing
from authmw.bundle.file.header import (
    END_OF_TIME,
    Header,
    Origin,
    parse_header,
    read_header,
    write_header,
)
from authmw.bundle.file.placing import replacement_of
from authmw.bundle.file.rows import encode_rows
from authmw.errors import BundleUnreadable

LARGEST_HOT_BYTES: Final = 1 << 26
"""A worker holds all events in memory: a larger file is refused, unread."""

_CONFIRMS: Final = "confirms"
_SETTINGS: Final = TABLES_BY_NAME["settings"]
_EVENTS: Final = "revocation_events"
# Pages of it that a process keeps: it is read once, from its beginning to its end.
_CACHE_KIB: Final = 256


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Says that the facts with a digest are those of a revision.

    Attributes:
        digest: 32 bytes, the state digest of a bundle.
        revision: of the centre; the bundle with that digest may have an earlier one.
        read_at: epoch seconds before the state of the database was fixed for that revision.

    Raises:
        ValueError: a value is of another type, or out of its range.
    """

    digest: bytes
    revision: int
    read_at: int

    def __post_init__(self) -> None:
        if type(self.digest) is not bytes or len(self.digest) != 32:
            raise ValueError("the digest of a confirmation has 32 bytes")
        for name, value, least in (("revision", self.revision, 1), ("read_at", self.read_at, 0)):
            if type(value) is not int or not least <= value <= END_OF_TIME:
                raise ValueError(f"the {name} of a confirmation is {value!r}")


@dataclass(frozen=True, slots=True)
class HotFile:
    """What a hot file says.

    Attributes:
        header: of the revocation events: their own revision and times.
        confirmation: None: it confirms nothing.
        events: each as JSON text, as `GET /v3/OS-REVOKE/events` lists it.
    """

    header: Header
    confirmation: Confirmation | None
    events: frozenset[str]


def hot_path(bundle_path: Path) -> Path:
    """Return where the hot file of a bundle lies."""
    return bundle_path.with_name(f"{bundle_path.name}.hot")


def write_hot(
    bundle_path: Path,
    confirmation: Confirmation | None,
    events: Path | None = None,
    *,
    origin: Origin | None = None,
    mode: int | None = None,
) -> Header:
    """Write the hot file of a bundle, in one step; on any failure what is there stays.

    The time it takes does not grow with the number of events, but for copying the file.

    Args:
        bundle_path: of the bundle; the hot file lies beside it.
        confirmation: None: nothing is confirmed.
        events: a bundle with rows in `revocation_events` alone, as a centre publishes them, whose
            rows were verified; None: the hot file that is there, whose confirmation alone changes.
        origin: of the events, in place of the source's own: they were the same when they were
            read again.
        mode: see `authmw.bundle.file.placing.replacement_of`.

    Returns:
        the header of the file.

    Raises:
        BundleUnreadable: the source is no such bundle.
        OSError: a file can't be read or written, or there is no hot file to change.
    """
    path = hot_path(bundle_path)
    source = path if events is None else events
    with replacement_of(path, mode=mode) as new:
        _verify_size(source)
        shutil.copyfile(source, new)
        try:
            # This verifies that it is a bundle.
            open_for_reading(new, _CACHE_KIB).close()
            with closing(open_for_writing(new)) as connection:
                return _confirm(connection, confirmation, origin)
        except sqlite3.Error as error:
            raise OSError(f"{path} can't be written: {error}") from error


def _confirm(
    connection: sqlite3.Connection, confirmation: Confirmation | None, origin: Origin | None
) -> Header:
    """Put a confirmation in the place of the one that is there."""
    connection.execute("BEGIN")
    header, state = read_header(connection)
    known = _read_settings(connection)
    count = header.row_count
    if known is not None:
        connection.execute("DELETE FROM settings")
        state.remove("settings", encode_rows(_SETTINGS, [(_CONFIRMS, known)]))
        count -= 1
    if confirmation is not None:
        row = (_CONFIRMS, _pack(confirmation))
        connection.execute(_SETTINGS.insert_statement, row)
        state.add("settings", encode_rows(_SETTINGS, [row]))
        count += 1
    changed = parse_header(Header(origin or header.origin, count, state.digest).values)
    write_header(connection, changed, state)
    connection.execute("COMMIT")
    return changed


def read_hot(path: Path) -> HotFile:
    """Read a hot file. Whoever put it there has verified its rows.

    Args:
        path: of the hot file itself.

    Raises:
        BundleUnreadable: there is none, or it is no hot file; says why.
    """
    try:
        _verify_size(path)
        with closing(open_for_reading(path, _CACHE_KIB)) as file:
            header, _ = read_header(file.connection)
            confirms = _read_settings(file.connection)
            rows = file.connection.execute(f'SELECT event FROM "{_EVENTS}"').fetchall()  # noqa: S608
            if file.is_changed_in_place():
                raise BundleUnreadable("it is being written to, instead of replaced")
    except BundleUnreadable as error:
        raise BundleUnreadable(f"{path} is not usable as a hot file: {error}") from error
    except (OSError, sqlite3.Error) as error:
        raise BundleUnreadable(f"{path} can't be read as a hot file: {error}") from error
    events = frozenset(row[0] for row in rows)
    if header.row_count != len(rows) + (confirms is not None):
        raise BundleUnreadable(f"{path} is not usable as a hot file: it lacks rows, or has others")
    if not all(isinstance(each, str) for each in events):
        raise BundleUnreadable(f"{path} is not usable as a hot file: an event is no text")
    return HotFile(header, None if confirms is None else _parse(path, confirms), events)


def _verify_size(path: Path) -> None:
    size = os.stat(path).st_size
    if size > LARGEST_HOT_BYTES:
        raise BundleUnreadable(f"it has {size} bytes, more than {LARGEST_HOT_BYTES}")


def _read_settings(connection: sqlite3.Connection) -> str | None:
    """Return the text of the confirmation; refuse a file that has rows of other kinds."""
    for table in TABLES:
        if table.name in (_EVENTS, _SETTINGS.name):
            continue
        if connection.execute(f'SELECT 1 FROM "{table.name}" LIMIT 1').fetchone() is not None:  # noqa: S608
            raise BundleUnreadable(
                f"it has rows in {table.name!r}, and not revocation events alone"
            )
    settings = connection.execute("SELECT name, value FROM settings LIMIT 2").fetchall()
    if not settings:
        return None
    name, value = settings[0]
    if len(settings) > 1 or name != _CONFIRMS or not isinstance(value, str):
        raise BundleUnreadable(f"it has other settings than {_CONFIRMS!r}")
    return value


def _pack(confirmation: Confirmation) -> str:
    return pack_json(
        {
            "digest": confirmation.digest.hex(),
            "revision": confirmation.revision,
            "read_at": confirmation.read_at,
        }
    )


def _parse(path: Path, text: str) -> Confirmation:
    try:
        value = json.loads(text)
        confirmation = Confirmation(
            bytes.fromhex(value["digest"]), value["revision"], value["read_at"]
        )
        if _pack(confirmation) != text:
            raise ValueError("it has other members, or another form")
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise BundleUnreadable(
            f"{path} is not usable as a hot file: its confirmation: {error}"
        ) from error
    return confirmation

"""Puts a new revision in the place of the one in force."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from authmw.bundle.facts import Table
from authmw.bundle.file.database import open_for_reading, open_for_writing
from authmw.bundle.file.delta import Change, Delta, DeltaHeader, read_delta_header
from authmw.bundle.file.header import Header, read_header, write_header
from authmw.bundle.file.opening import verify_bundle
from authmw.bundle.file.placing import replacement_of, take_spare
from authmw.errors import BundleUnreadable

_COPIED_AT_A_TIME = 1 << 26
# From another file system, or by one that does not offer it (copy_file_range(2)).
_NO_COPY_BY_KERNEL = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


def apply_delta(path: Path, delta_path: Path) -> Header:
    """Change a bundle by a delta, in one step; on any failure the revision in force stays.

    The delta may be hostile. One that makes the revision that is in force already changes
    nothing.

    Args:
        path: of the bundle.
        delta_path: of the delta.

    Returns:
        the header of the revision now in force.

    Raises:
        BundleUnreadable: the delta is not of our form, is for another base, or does not make the
            digest that it announces.
        OSError: a file can't be read or written.
    """
    try:
        result = _verify_applicable(path, delta_path)
        if result is None:
            return read_delta_header(delta_path).result
        with replacement_of(path, keep_spare=True) as new:
            if not _change_spare(path, new, delta_path):
                _copy(path, new)
                _change(new, delta_path)
            _remember_for_spare(path, delta_path)
    except sqlite3.OperationalError as error:
        raise OSError(f"{path} can't be changed: {error}") from error
    except (BundleUnreadable, sqlite3.Error) as error:
        raise BundleUnreadable(f"{delta_path} can't be applied to {path}: {error}") from error
    return result


def install_bundle(
    path: Path,
    new_path: Path,
    on_rows: Callable[[int], None] | None = None,
    *,
    mode: int | None = None,
    allow_older: bool = False,
) -> Header:
    """Verify a whole bundle and put a copy of it at `path`; on any failure what is there stays.

    Args:
        path: where the bundle in force lies, or none yet.
        new_path: the new one; it may be hostile.
        on_rows: see `verify_bundle`.
        mode: see `replacement_of`.
        allow_older: put an older revision in force as well, for whoever knows by other means which
            one is the newest.

    Returns:
        the header of the revision now in force.

    Raises:
        BundleUnreadable: the new one is not as it should be, or is older than the one in force.
        OSError: a file can't be read or written.
    """
    with replacement_of(path, mode=mode) as new:
        _copy(new_path, new)
        header = verify_bundle(new, on_rows)
        current = None if allow_older or not path.exists() else _current_or_none(path)
        if current is not None:
            _verify_newer(current, header)
        return header


def place_bundle(path: Path, verified: Path, *, mode: int | None = None) -> Header:
    """Put a copy of a bundle at `path` whose rows `install_bundle` and `apply_delta` verified.

    Args:
        path: where the bundle in force lies, of any revision, or none yet.
        verified: in a directory that nobody else can write to.
        mode: see `replacement_of`.

    Returns:
        the header of the revision now in force.

    Raises:
        BundleUnreadable: it is no bundle, or another process writes to `path`.
        OSError: a file can't be read or written.
    """
    with replacement_of(path, mode=mode) as new:
        _copy(verified, new)
        return _current(new)


def _current(path: Path) -> Header:
    with closing(open_for_reading(path, cache_kib=0)) as file:
        return read_header(file.connection)[0]


def _current_or_none(path: Path) -> Header | None:
    """Return the header of the bundle in force; None if it can't be used, and may be replaced."""
    try:
        return _current(path)
    except (BundleUnreadable, sqlite3.Error):
        return None


def _verify_newer(current: Header, header: Header) -> None:
    if header != current and header.origin.revision <= current.origin.revision:
        raise BundleUnreadable(
            f"revision {header.origin.revision} is not newer than revision "
            f"{current.origin.revision}, which is in force"
        )


def _copy(path: Path, new: Path) -> None:
    """Copy a file, by reference where the file system can."""
    with open(path, "rb") as source, open(new, "r+b") as target:
        left = os.fstat(source.fileno()).st_size
        while left and (copied := _copy_some(source.fileno(), target.fileno(), left)):
            left -= copied


def _copy_some(source: int, target: int, left: int) -> int:
    length = min(left, _COPIED_AT_A_TIME)
    try:
        return os.copy_file_range(source, target, length)
    except OSError as error:
        if error.errno not in _NO_COPY_BY_KERNEL:
            raise
    return os.sendfile(target, source, None, length)


def _verify_applicable(path: Path, delta_path: Path) -> Header | None:
    """Return the header that a delta makes of the bundle in force; None if it is in force."""
    header, current = read_delta_header(delta_path), _current(path)
    if header.result == current:
        return None
    _verify_base(header, current)
    return header.result


def _verify_base(header: DeltaHeader, base: Header) -> None:
    if (base.origin.revision, base.digest) != (header.base_revision, header.base_digest):
        raise BundleUnreadable(
            f"it changes revision {header.base_revision} ({header.base_digest.hex()[:16]}), and "
            f"revision {base.origin.revision} ({base.digest.hex()[:16]}) is in force"
        )
    _verify_newer(base, header.result)


def _change_spare(path: Path, new: Path, delta_path: Path) -> bool:
    """Change the spare file, which is one revision behind, by two deltas (ADR 0125).

    Returns:
        whether `new` is the new revision; if not, it is empty, and a copy has to be changed.
    """
    if not take_spare(path, new):
        return False
    try:
        _change(new, _delta_of_spare(path))
        _change(new, delta_path)
    except (BundleUnreadable, sqlite3.Error, OSError):
        # Whatever is wrong, the bundle in force is the one to begin with.
        new.unlink(missing_ok=True)
        new.touch()
        return False
    return True


def _delta_of_spare(path: Path) -> Path:
    """Return where the delta lies that makes the bundle in force of the spare file."""
    return path.with_name(f"{path.name}.spare.delta")


def _remember_for_spare(path: Path, delta_path: Path) -> None:
    # If it is cut, the spare file can't be changed by it; no more.
    shutil.copyfile(delta_path, _delta_of_spare(path))


def _change(new: Path, delta_path: Path) -> None:
    """Change a file in one transaction, which is committed if the digest is right."""
    delta = Delta(delta_path)
    header = delta.header
    base = _current(new)
    _verify_base(header, base)
    with closing(open_for_writing(new)) as connection:
        connection.execute("BEGIN")
        _, state = read_header(connection)
        count = base.row_count
        for change in delta.changes():
            _make(connection, change)
            if change.is_removal:
                state.remove(change.table.name, change.encoded)
                count -= len(change.rows)
            else:
                state.add(change.table.name, change.encoded)
                count += len(change.rows)
        if (state.digest, count) != (header.result.digest, header.result.row_count):
            raise BundleUnreadable("the rows that come out are not those of its digest")
        write_header(connection, header.result, state)
        connection.execute("COMMIT")


def _make(connection: sqlite3.Connection, change: Change) -> None:
    table = change.table
    if change.is_removal:
        done = connection.executemany(_delete_statement(table), change.rows).rowcount
        if done != len(change.rows):
            raise BundleUnreadable(f"it removes rows of {table.name!r} that are not there")
        return
    try:
        connection.executemany(table.insert_statement, change.rows)
    except sqlite3.IntegrityError:
        raise BundleUnreadable(f"it adds rows of {table.name!r} that are there") from None


def _delete_statement(table: Table) -> str:
    # The key is compared by its index; the other columns may be NULL.
    key = [f'"{column.name}" = ?' for column in table.key]
    others = [f'"{column.name}" IS ?' for column in table.columns[table.key_length :]]
    return f'DELETE FROM "{table.name}" WHERE {" AND ".join(key + others)}'  # noqa: S608

"""Bundles of a real Keystone's database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from authmw.bundle.facts import TABLES, pack_json
from authmw.bundle.file import Header, Origin, write_bundle
from authmw.bundle.keystone_sql import Configuration, KeystoneDatabase
from tests.support.keystone import Keystone

Row = tuple[str, tuple[Any, ...]]


def export(
    keystone: Keystone,
    path: Path,
    number: int = 1,
    *,
    newer_by: int = 0,
    only: Mapping[str, list[str]] | None = None,
) -> Header:
    """Write a bundle of a site's database.

    Args:
        keystone: the site; its processes may have ended.
        path: of the file, which is replaced.
        number: of the revision.
        newer_by: how much later the facts are said to have been read, seconds.
        only: the filter that the bundle is said to have been made with.
    """
    database = KeystoneDatabase(
        f"sqlite:///{keystone.directory}/keystone.db",
        Configuration({"url_substitutions": {"public_endpoint": keystone.jws.url}}),
    )
    with database.snapshot() as snapshot:
        read_at = snapshot.read_at + newer_by
        origin = Origin(number, read_at, "a test", read_at, 0)

        def rows() -> Iterator[Row]:
            for table in TABLES:
                for row in snapshot.rows(table):
                    yield table.name, row
            if only is not None:
                yield "settings", ("filter", pack_json(only))

        return write_bundle(path, origin, rows())


def name_of(header: Header) -> str:
    """Return the revision that tokens name."""
    return f"{header.origin.revision}-{header.digest.hex()[:16]}"

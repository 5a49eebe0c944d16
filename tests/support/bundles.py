"""Facts of a Keystone's database, and what they say about a token."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from authmw.authority.keystone_claims import parse_keystone_claims
from authmw.bundle.evaluate import evaluate
from authmw.bundle.facts import TABLES
from authmw.bundle.keystone_sql import Configuration, KeystoneDatabase
from authmw.bundle.sqlite_reader import SqliteFacts


def export(url: str, configuration: Configuration, file: sqlite3.Connection) -> int:
    """Write the facts of a database to an SQLite file; returns when they were read."""
    with KeystoneDatabase(url, configuration).snapshot() as snapshot:
        for table in TABLES:
            file.execute(table.create_statement)
            file.executemany(table.insert_statement, snapshot.rows(table))
        file.commit()
        return snapshot.read_at


@contextmanager
def facts_of(url: str, configuration: Configuration, *, newer_by: int = 0) -> Iterator[SqliteFacts]:
    """Export a database, and read the facts.

    Args:
        newer_by: how much later they are said to have been read, seconds.
    """
    with closing(sqlite3.connect(":memory:")) as file:
        read_at = export(url, configuration, file)
        yield SqliteFacts(file, read_at + newer_by)


def read_claims(token: str) -> dict[str, Any]:
    """Return the claims of a token that Keystone signed."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


def evaluate_claims(facts: SqliteFacts, claims: dict[str, Any]) -> dict[str, Any]:
    """Return the token body by the facts, now; raises as `evaluate` does."""
    return evaluate(
        parse_keystone_claims(claims),
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        now=time.time(),
        facts=facts,
    )


def normalize(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body whose lists that have no order are sorted, and name a thing once."""
    normal = dict(body)
    for name in ("roles", "catalog", "service_providers"):
        if name in body:
            normal[name] = sort_by_id(body[name])
    for service in normal.get("catalog", ()):
        service["endpoints"] = sort_by_id(service["endpoints"])
    credential = body.get("application_credential")
    if credential is not None and "access_rules" in credential:
        rules = sort_by_id(credential["access_rules"])
        normal["application_credential"] = {**credential, "access_rules": rules}
    return normal


def sort_by_id(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(each) for _, each in sorted({each["id"]: each for each in items}.items())]

"""Asks Keystone's API for lists of resources, and remembers the answers until the export is done.

Whoever starts an interrupted export again gets the answers that came before: they lie in a file
beside the bundle, of which only its owner can read anything, and which has no member of a resource
but those that were asked for.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from authmw.errors import BundleUnreadable
from authmw.identity.session import IdentitySession
from authmw.net.deadline import deadline

if TYPE_CHECKING:
    from keystoneauth1.plugin import BaseAuthPlugin

    from authmw.config.settings import Settings

# An answer that is older is asked for again.
_ANSWERS_LAST_SECONDS = 3600
# A long list takes Keystone longer than a token.
_SECONDS_AN_ANSWER = 300

Item = dict[str, Any]


class ApiClient:
    """The Identity API, with remembered answers.

    Args:
        settings: of a service: where the API is, TLS.
        plugin: credentials that may list everything.
        answers: the file that remembers answers.

    Attributes:
        on_request: called before each request with what is asked for.

    Raises:
        BundleUnreadable: another export uses the file, or it can't be used.
    """

    def __init__(self, settings: Settings, plugin: BaseAuthPlugin, answers: Path) -> None:
        # Its time-outs are those of one token.
        settings = dataclasses.replace(settings, http_connect_timeout=_SECONDS_AN_ANSWER)
        self._session = IdentitySession(settings, plugin)
        self._path = answers
        values = {} if settings.auth is None else settings.auth.values
        # Answers of another cloud are not taken for those of this one.
        self._endpoint = str((values.get("auth_url"), settings.interface, settings.region_name))
        self.on_request: Callable[[str], None] = lambda _: None
        # How many requests were sent, and how many answers were still there.
        self.requests = self.remembered = 0
        os.close(os.open(answers, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        self._answers = sqlite3.connect(answers, isolation_level=None, timeout=0)
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._answers.close()
            raise BundleUnreadable(f"{answers} can't be used: {error}") from error

    def _prepare(self) -> None:
        execute = self._answers.execute
        # Held to the end: one export at a time.
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute("PRAGMA synchronous = OFF")
        execute("BEGIN EXCLUSIVE")
        execute(
            "CREATE TABLE IF NOT EXISTS answers "
            "(endpoint TEXT, path TEXT, at INTEGER, body TEXT, PRIMARY KEY (endpoint, path))"
        )
        oldest = int(time.time()) - _ANSWERS_LAST_SECONDS
        execute("DELETE FROM answers WHERE at < ?", (oldest,))
        execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._answers.close()

    def forget(self) -> None:
        """Delete the remembered answers: the export is done."""
        self._path.unlink(missing_ok=True)

    def list_all(
        self, path: str, collection: str, members: Iterable[str] | None = None
    ) -> list[Item]:
        """Return a list of resources, remembered or asked for.

        Args:
            path: below the version, with its query.
            collection: the member of the answer that holds the list.
            members: of a resource, those to return; all others are dropped at once. None: all but
                `links`, for roles and endpoints, of which tokens show whatever they have.

        Raises:
            Outage: the API can't be asked, or refuses.
            BundleUnreadable: the answer has another form, or is only a part of the list.
        """
        items = self._recall(path)
        if items is None:
            items = _read_list(self._ask(path), path, collection, members)
            self._remember(path, items)
        return items

    def _ask(self, path: str) -> Item:
        self.on_request(path)
        self.requests += 1
        with deadline(_SECONDS_AN_ANSWER):
            return self._session.fetch_json(path).body

    def _recall(self, path: str) -> list[Item] | None:
        statement = "SELECT body FROM answers WHERE endpoint = ? AND path = ?"
        row = self._answers.execute(statement, (self._endpoint, path)).fetchone()
        if row is None:
            return None
        items: list[Item] = json.loads(row[0])
        self.remembered += 1
        return items

    def _remember(self, path: str, items: list[Item]) -> None:
        self._answers.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
            (self._endpoint, path, int(time.time()), json.dumps(items)),
        )


def _read_list(
    answer: Item, path: str, collection: str, members: Iterable[str] | None
) -> list[Item]:
    if answer.get("truncated"):
        raise BundleUnreadable(
            f"Keystone lists only a part of {path}: raise list_limit in its configuration"
        )
    listed = answer.get(collection)
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise BundleUnreadable(f"the answer to {path} has no list {collection!r}")
    if members is None:
        return [{name: item[name] for name in item.keys() - {"links"}} for item in listed]
    kept = frozenset(members)
    return [{name: item[name] for name in item.keys() & kept} for item in listed]

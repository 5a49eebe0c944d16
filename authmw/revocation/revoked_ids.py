"""The ids (`jti`) of an issuer's revoked tokens, read from the list that it publishes.

The counterpart of `authmw.revocation.feed` for an issuer with `revocation_list_path`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from authmw.errors import (
    IdentityUnavailable,
    InvalidToken,
    MalformedRevocationList,
    Reason,
)
from authmw.identity.documents import FetchedDocument
from authmw.issuers.revocation_list import parse_revocation_list
from authmw.revocation.jitter import shorten
from authmw.runtime.counts import Count
from authmw.runtime.lazy_refresh import LazyRefresh
from authmw.runtime.process import PerProcess
from authmw.runtime.reloads import FAILING_WAIT_SECONDS, PLANNED_WAIT_SECONDS, Reloads

_log = logging.getLogger(__name__)

Fetch = Callable[[str, Mapping[str, str]], FetchedDocument]


@dataclass(frozen=True, slots=True)
class _State:
    """Replaced as a whole, so that no reader needs a lock."""

    ids: frozenset[str] = frozenset()
    read_at: float | None = None
    digest: bytes = b""
    """Of the body that `ids` was read from."""
    error: str | None = None
    """Why the last reading failed."""


class RevokedIds:
    """Knows which tokens of one issuer were revoked, as of the latest reading of its list.

    It fails closed: where the list was never read, or not for `max_staleness_seconds`, nobody
    knows which tokens were revoked. A reading that fails changes nothing before that.

    Args:
        uri: of the list.
        fetch: does the GET; see `authmw.identity.documents.DocumentFetcher`.
        refresh: reads the list again once it was needed.
        interval_seconds: between readings (`revocation_poll_interval`).
        max_staleness_seconds: `revocation_max_staleness`.
        failures: counts the readings that failed.
    """

    def __init__(
        self,
        uri: str,
        fetch: Fetch,
        refresh: LazyRefresh,
        *,
        interval_seconds: int,
        max_staleness_seconds: int,
        failures: Count | None = None,
    ) -> None:
        self.reload_at = 0.0
        self._uri = uri
        self._fetch = fetch
        self._refresh = refresh
        self._interval_seconds = interval_seconds
        self._max_staleness_seconds = max_staleness_seconds
        self._failures = failures or Count()
        self._reloads = Reloads("revoked-ids", self._read, early_interval_seconds=interval_seconds)
        self._state = _State()
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._is_started = False
        self._writing = PerProcess(threading.Lock)

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the list has changed, in the thread that read it."""
        self._listeners += (listener,)

    def verify_not_revoked(self, token_id: str | None, now: float) -> None:
        """Look for a token in the list; the first call reads it.

        Args:
            token_id: `jti` of the token.
            now: epoch seconds.

        Raises:
            InvalidToken: (revoked) it is in the list.
            IdentityUnavailable: the list was never read, or not for too long.
        """
        if not self._is_started:
            self.begin_reload(now)()
            self._is_started = True
            self._refresh.start(self)
        state = self._state
        if self._is_too_old(state, now):
            raise IdentityUnavailable(self._explain(state))
        if token_id in state.ids:
            raise InvalidToken(Reason.REVOKED, "its 'jti' is in its issuer's revocation list")

    def find_trouble(self, now: float) -> str | None:
        """Return why nobody can judge by the list, without I/O; None: one can, or need not yet."""
        state = self._state
        return self._explain(state) if self._is_started and self._is_too_old(state, now) else None

    def _is_too_old(self, state: _State, now: float) -> bool:
        # abs(): after the clock was set back the age of the list is unknown.
        return state.read_at is None or abs(now - state.read_at) > self._max_staleness_seconds

    def fresh_until(self, now: float) -> int:
        """Return up to when the list is not too old, epoch seconds."""
        read_at = self._state.read_at
        return int(now if read_at is None else read_at + self._max_staleness_seconds)

    def begin_reload(self, now: float) -> Callable[[], object]:
        """Begin to read the list; see `authmw.runtime.lazy_refresh.Startable`."""
        self.reload_at = now + shorten(self._interval_seconds)
        is_failing = self._state.error is not None
        return self._reloads.begin(
            now, wait_seconds=FAILING_WAIT_SECONDS if is_failing else PLANNED_WAIT_SECONDS
        )

    def _read(self, now: float) -> None:
        before = self._state
        try:
            response = self._fetch(self._uri, {"accept": "application/json"})
            if response.status != 200:
                raise IdentityUnavailable(f"HTTP status {response.status}")
            digest = hashlib.sha256(response.body).digest()
            # A list is long and seldom changes.
            ids = before.ids if digest == before.digest else parse_body(response.body)
        except (OSError, IdentityUnavailable, MalformedRevocationList) as error:
            self._keep(str(error))
            return
        with self._writing.get():
            self._state = _State(ids, now, digest)
        if before.error is not None:
            _log.info("%s can be read again", self._uri)
        if ids != before.ids:
            for listener in self._listeners:
                listener()

    def _keep(self, error: str) -> None:
        self._failures.add()
        with self._writing.get():
            before = self._state
            self._state = replace(before, error=error)
        if before.error != error:
            _log.error(
                "%s: %s; %s",
                self._uri,
                error,
                "it was not read before, so tokens of this issuer get 503"
                if before.read_at is None
                else "the revocation list read before counts until revocation_max_staleness "
                f"({self._max_staleness_seconds} s)",
            )

    def _explain(self, state: _State) -> str:
        why = state.error or "nothing reads it"
        if state.read_at is None:
            return f"the revocation list {self._uri} was not read yet: {why}"
        read_at = datetime.fromtimestamp(state.read_at, UTC).isoformat(timespec="seconds")
        return (
            f"the revocation list {self._uri} was last read at {read_at}, longer ago than "
            f"revocation_max_staleness: {why}"
        )


def parse_body(body: bytes) -> frozenset[str]:
    """Return the ids in the list as it was received; raises MalformedRevocationList."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if type(document) is not dict:
        raise MalformedRevocationList("no JSON object")
    return parse_revocation_list(document)

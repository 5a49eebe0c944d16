"""One revision of a bundle, open in one process: what it says of tokens, and of revocation."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from authmw.authority.keystone_claims import KeystoneClaims
from authmw.bundle.evaluate import evaluate
from authmw.bundle.file import Bundle, open_bundle
from authmw.errors import BundleUnreadable, FactUnknown, InvalidToken, MalformedEvents
from authmw.revocation.events import parse_event
from authmw.revocation.index import EventIndex
from authmw.token.catalog import ServiceCatalog

# Hexadecimal digits of the state digest in a revision's name.
_DIGEST_DIGITS = 16
# The file holds what its source has kept; none of it is dropped here for its age.
_KEPT_FOR_EVER = 1 << 40

# What rows that nobody verified may cause in code that takes them for facts.
_ODD_ROWS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class RevisionClosed(Exception):
    """The revision was replaced by another one, which has to be asked instead."""


class Revision:
    """A bundle's file, open for reading by one process.

    Threads take turns: a connection of SQLite serves one at a time, and one for each thread would
    hold the caches of the file once for each (ADR 0131).

    Args:
        path: of the file.
        max_events: most revocation events to keep (`revocation_max_events`).

    Attributes:
        name: its number and the first digits of its state digest, such as `17-9f86d081884c7d65`.
        number: of the revision; it grows with each.
        read_at: epoch seconds: the time that the facts are of.
        polled_at: epoch seconds at which its revocation events were read; None: it has none.
        complete_from: epoch seconds: it has each event that can cover a token issued then or later.
        events: the revocation events.

    Raises:
        BundleUnreadable: there is none, or none that can be used.
    """

    def __init__(self, path: str, max_events: int) -> None:
        self._bundle: Bundle = open_bundle(Path(path))
        try:
            header = self._bundle.header
            self.number = header.origin.revision
            self.name = f"{self.number}-{header.digest.hex()[:_DIGEST_DIGITS]}"
            self.read_at = header.origin.read_at
            self.polled_at = header.origin.revocation_polled_at
            self.events = self._read_events(max_events)
            self.complete_from = max(
                header.origin.revocation_complete_from or 0, self.events.complete_from
            )
        except BaseException:
            self._bundle.close()
            raise
        self._lock = threading.Lock()
        self._is_closed = False
        self._last_catalog: tuple[object, ServiceCatalog] | None = None

    def _read_events(self, max_events: int) -> EventIndex:
        index = EventIndex(max_events=max_events, retention_seconds=_KEPT_FOR_EVER)
        if self.polled_at is not None:
            try:
                rows = self._bundle.facts.revocation_events()
                index.add([parse_event(row, self.polled_at) for row in rows], self.polled_at)
            except (*_ODD_ROWS, MalformedEvents) as error:
                raise BundleUnreadable(f"its revocation events can't be read: {error}") from error
        return index

    def evaluate(
        self,
        claims: KeystoneClaims,
        *,
        issued_at: int,
        expires_at: int,
        now: float,
        with_catalog: bool,
    ) -> tuple[dict[str, Any], ServiceCatalog | None]:
        """Return the body and catalog of a token; see `authmw.bundle.evaluate.evaluate`.

        Raises:
            InvalidToken: the facts deny it, and they are not older than the token.
            FactUnknown: they don't say.
            BundleUnreadable: they can't be read.
            RevisionClosed: ask the revision now in force.
        """
        with self._lock:
            if self._is_closed:
                raise RevisionClosed
            try:
                body = evaluate(
                    claims,
                    issued_at=issued_at,
                    expires_at=expires_at,
                    now=now,
                    facts=self._bundle.facts,
                )
                return body, self._share_catalog(body.get("catalog")) if with_catalog else None
            except InvalidToken as refusal:
                if issued_at > self.read_at:
                    # Keystone accepted since then what these facts deny.
                    raise FactUnknown(f"{refusal.detail}, but the token is newer") from refusal
                raise
            except _ODD_ROWS as error:
                raise BundleUnreadable(
                    f"rows of the bundle can't be used ({type(error).__name__})"
                ) from error
            finally:
                # Whatever came out, it may be of rows of two revisions.
                if self._bundle.is_changed_in_place():
                    raise BundleUnreadable("the bundle is being written to, instead of replaced")

    def _share_catalog(self, services: object) -> ServiceCatalog | None:
        """Return a catalog; one that is the same for all tokens is parsed once."""
        if services is None:
            return None
        last = self._last_catalog
        if last is None or last[0] is not services:
            self._last_catalog = last = (services, ServiceCatalog.from_services(services))
        return last[1]

    def close(self) -> None:
        """Close the file, once no thread reads it."""
        with self._lock:
            self._is_closed = True
            self._bundle.close()

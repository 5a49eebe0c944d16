"""One revision of a bundle, open in one process: what it says of tokens, and of revocation."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final, NamedTuple

from authmw.authority.keystone_claims import KeystoneClaims
from authmw.bundle.evaluate import judge
from authmw.bundle.file import Bundle, Confirmation, open_bundle
from authmw.bundle.hot_events import KEPT_FOR_EVER
from authmw.errors import BundleUnreadable, FactUnknown, InvalidToken, MalformedEvents
from authmw.revocation.events import parse_event
from authmw.revocation.index import EventIndex
from authmw.token.catalog import ServiceCatalog

# Hexadecimal digits of the state digest in a revision's name.
_DIGEST_DIGITS: Final = 16

# What rows that nobody verified may cause in code that takes them for facts.
_ODD_ROWS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class RevisionClosed(Exception):
    """The revision was replaced by another one, which has to be asked instead."""


class AsOf(NamedTuple):
    """What facts are current as of.

    Attributes:
        number: of the revision.
        read_at: epoch seconds: the time that the facts are of.
    """

    number: int
    read_at: int


class Evaluated(NamedTuple):
    """What a revision says of a token.

    Attributes:
        body, catalog: of the token.
        ends_at: microseconds since 1970 at which it may end by itself; None: at no time.
        name: of the revision.
    """

    body: dict[str, Any]
    catalog: ServiceCatalog | None
    ends_at: int | None
    name: str


class Revision:
    """A bundle's file, open for reading by one process.

    Threads take turns: a connection of SQLite serves one at a time, and one for each thread would
    hold the caches of the file once for each (ADR 0131).

    Args:
        path: of the file.
        max_events: most revocation events to keep (`revocation_max_events`).

    Attributes:
        own: what its header says.
        as_of: what its facts are current as of: `own`, unless a later revision was confirmed.
        digest: 32 bytes, the state digest.
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
            self.as_of = self.own = AsOf(header.origin.revision, header.origin.read_at)
            self.digest = header.digest
            self.polled_at = header.origin.revocation_polled_at
            self.events = self._read_events(max_events)
            self.complete_from = max(header.origin.events_complete_from, self.events.complete_from)
        except BaseException:
            self._bundle.close()
            raise
        self._lock = threading.Lock()
        self._is_closed = False
        self._last_catalog: tuple[object, ServiceCatalog] | None = None

    def _read_events(self, max_events: int) -> EventIndex:
        index = EventIndex(max_events=max_events, retention_seconds=KEPT_FOR_EVER)
        if self.polled_at is not None:
            try:
                rows = self._bundle.facts.revocation_events()
                index.add([parse_event(row, self.polled_at) for row in rows], self.polled_at)
            except (*_ODD_ROWS, MalformedEvents) as error:
                raise BundleUnreadable(f"its revocation events can't be read: {error}") from error
        return index

    @property
    def name(self) -> str:
        """Its number and the first digits of its state digest, such as `17-9f86d081884c7d65`.

        A later revision that was confirmed follows it: `17-9f86d081884c7d65+42`.
        """
        as_of = self.as_of
        confirmed = "" if as_of.number == self.own.number else f"+{as_of.number}"
        return f"{self.own.number}-{self._short_digest}{confirmed}"

    @property
    def _short_digest(self) -> str:
        return self.digest.hex()[:_DIGEST_DIGITS]

    def has_facts_of(self, name: str) -> bool:
        """Tell whether the revision with a `name` has the same facts."""
        return name.partition("-")[2].partition("+")[0] == self._short_digest

    def confirm(self, confirmation: Confirmation | None) -> None:
        """Take the facts for those of a confirmed revision, if it has them and is not older.

        Else what was confirmed before still holds: a revision has the same facts for ever. So it
        does not matter which of the two files is replaced first.
        """
        if confirmation is not None and confirmation.digest == self.digest:
            confirmed = AsOf(confirmation.revision, confirmation.read_at)
            self.as_of = self.own if confirmed.number < self.own.number else confirmed

    def take_over(self, before: Revision) -> None:
        """Take over what was confirmed of the same facts in another file."""
        if before.digest == self.digest and before.as_of.number > self.own.number:
            self.as_of = before.as_of

    def evaluate(
        self,
        claims: KeystoneClaims,
        *,
        issued_at: int,
        expires_at: int,
        now: float,
        with_catalog: bool,
    ) -> Evaluated:
        """Return what the facts say of a token; see `authmw.bundle.evaluate.judge`.

        Raises:
            InvalidToken: the facts deny it, and they are not older than the token.
            FactUnknown: they don't say.
            BundleUnreadable: they can't be read.
            RevisionClosed: ask the revision now in force.
        """
        with self._lock:
            if self._is_closed:
                raise RevisionClosed
            name, as_of = self.name, self.as_of
            self._bundle.facts.read_at = as_of.read_at
            try:
                body, ends_at = judge(
                    claims,
                    issued_at=issued_at,
                    expires_at=expires_at,
                    now=now,
                    facts=self._bundle.facts,
                )
                catalog = self._share_catalog(body.get("catalog")) if with_catalog else None
                return Evaluated(body, catalog, ends_at, name)
            except InvalidToken as refusal:
                if issued_at > as_of.read_at:
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

    def try_lock(self) -> None:
        """See `authmw.bundle.file.Bundle.try_lock`; call it in the thread that closes this."""
        self._bundle.try_lock()

    def close(self) -> None:
        """Close the file, once no thread reads it."""
        with self._lock:
            self._is_closed = True
            self._bundle.close()

"""The revocation events of a bundle, beside those that are polled from Keystone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from authmw.bundle.hot_events import HotEvents
from authmw.bundle.in_force import BundleInForce
from authmw.bundle.revision import Revision
from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.revocation.facts import RevocationFacts
from authmw.revocation.revocations import Revocations

_HOT, _WARM = "the hot file", "the bundle"


class BundleRevocations:
    """Compares tokens with the events of a bundle and its hot file, and with polled ones.

    The events of either file count as a poll at the time at which they were read: they are
    complete while they are not older than `revocation_max_staleness`. An event of any source
    revokes; that one of them is complete is enough. See `Revocations`.

    Args:
        bundle: has what is in force.
        polled: the events that are polled from Keystone; None: nothing polls.
        max_staleness_seconds: `revocation_max_staleness`.
    """

    def __init__(
        self, bundle: BundleInForce, polled: Revocations | None, *, max_staleness_seconds: int
    ) -> None:
        self._bundle = bundle
        self._polled = polled
        self._max_staleness_seconds = max_staleness_seconds

    def add_listener(self, listener: Callable[[], None]) -> None:
        """See `Revocations`."""
        self._bundle.add_listener(listener)
        if self._polled is not None:
            self._polled.add_listener(listener)

    @property
    def complete_from(self) -> int:
        """Of the polled events, which decide about tokens that Keystone was asked about."""
        return 0 if self._polled is None else self._polled.complete_from

    def verify_not_revoked(self, facts: RevocationFacts) -> None:
        """See `Revocations`."""
        if self._polled is not None:
            self._polled.verify_not_revoked(facts)
        for part, where in ((self._bundle.hot_events, _HOT), (self._bundle.revision, _WARM)):
            attributes = None if part is None else part.events.find_attributes(facts)
            if attributes is not None:
                of = ", ".join(attributes) or "all tokens"
                raise InvalidToken(
                    Reason.REVOKED, f"a revocation event of {of} in {where} covers it"
                )

    def verify_events_complete(self, issued_at: int, now: float) -> None:
        """See `Revocations`."""
        missing = self._find_missing(issued_at, now)
        if missing is None:
            return
        if self._polled is None:
            raise IdentityUnavailable(missing)
        try:
            self._polled.verify_events_complete(issued_at, now)
        except IdentityUnavailable as error:
            raise IdentityUnavailable(f"{missing}; {error.detail}", error.retry_after) from error

    def _find_missing(self, issued_at: int, now: float) -> str | None:
        """Say why events may be missing that cover a token; None: either part has them all."""
        hot, revision = self._bundle.hot_events, self._bundle.revision
        lack_of_hot = None
        if hot is not None:
            where = f"the hot file, whose revision is {hot.number},"
            lack_of_hot = self._find_lack(hot, where, issued_at, now)
            if lack_of_hot is None:
                return None
        if revision is None:
            return lack_of_hot or "no revocation events were read yet: there is no bundle"
        lack = self._find_lack(revision, f"revision {revision.name} of the bundle", issued_at, now)
        if lack is None or lack_of_hot is None:
            return lack
        # A site with a hot file seldom has events in the bundle itself.
        return lack_of_hot if revision.polled_at is None else f"{lack_of_hot}; {lack}"

    def _find_lack(
        self, part: Revision | HotEvents, where: str, issued_at: int, now: float
    ) -> str | None:
        if part.polled_at is None:
            return f"{where} has no revocation events"
        # abs(): after the clock was set back the age of the events is unknown.
        if abs(now - part.polled_at) > self._max_staleness_seconds:
            read_at = datetime.fromtimestamp(part.polled_at, UTC).isoformat(timespec="seconds")
            return (
                f"the revocation events of {where} are of {read_at}, longer ago than "
                "revocation_max_staleness"
            )
        if issued_at < part.complete_from:
            return (
                f"a revocation event that might cover this token is not in {where} or among more "
                "than revocation_max_events"
            )
        return None

    def fresh_until(self, now: float) -> int:
        """See `Revocations`."""
        polled = int(now) if self._polled is None else self._polled.fresh_until(now)
        for part in (self._bundle.hot_events, self._bundle.revision):
            if part is not None and part.polled_at is not None:
                polled = max(polled, part.polled_at + self._max_staleness_seconds)
        return polled

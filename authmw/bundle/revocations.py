"""The revocation events of a bundle, beside those that are polled from Keystone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from authmw.bundle.in_force import BundleInForce
from authmw.bundle.revision import Revision
from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.revocation.facts import RevocationFacts
from authmw.revocation.revocations import Revocations


class BundleRevocations:
    """Compares tokens with a bundle's events and with polled ones; see `Revocations`.

    The events of a bundle count as a poll at the time at which they were read: they are complete
    while they are not older than `revocation_max_staleness`. An event of either source revokes;
    that either is complete is enough.

    Args:
        bundle: has the revision in force.
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
        revision = self._bundle.revision
        attributes = None if revision is None else revision.events.find_attributes(facts)
        if attributes is not None:
            of = ", ".join(attributes) or "all tokens"
            raise InvalidToken(
                Reason.REVOKED, f"a revocation event of {of} in the bundle covers it"
            )

    def verify_events_complete(self, issued_at: int, now: float) -> None:
        """See `Revocations`."""
        missing = self._find_missing(self._bundle.revision, issued_at, now)
        if missing is None:
            return
        if self._polled is None:
            raise IdentityUnavailable(missing)
        self._polled.verify_events_complete(issued_at, now)

    def _find_missing(self, revision: Revision | None, issued_at: int, now: float) -> str | None:
        """Say why the bundle's events may lack one that covers a token; None: they lack none."""
        if revision is None:
            return "no revocation events were read yet: there is no bundle"
        if revision.polled_at is None:
            return f"revision {revision.name} of the bundle has no revocation events"
        # abs(): after the clock was set back the age of the events is unknown.
        if abs(now - revision.polled_at) > self._max_staleness_seconds:
            read_at = datetime.fromtimestamp(revision.polled_at, UTC).isoformat(timespec="seconds")
            return (
                f"the revocation events of revision {revision.name} of the bundle are of "
                f"{read_at}, longer ago than revocation_max_staleness"
            )
        if issued_at < revision.complete_from:
            return (
                f"a revocation event that might cover this token is not in revision "
                f"{revision.name} of the bundle, or among more than revocation_max_events"
            )
        return None

    def fresh_until(self, now: float) -> int:
        """See `Revocations`."""
        polled = int(now) if self._polled is None else self._polled.fresh_until(now)
        revision = self._bundle.revision
        if revision is None or revision.polled_at is None:
            return polled
        return max(polled, revision.polled_at + self._max_staleness_seconds)

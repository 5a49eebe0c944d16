"""Waits for the revision that a service demands: for a bounded time, in a few threads.

Whoever waits holds a thread of the server. So nobody waits but for a service with a valid token,
and no more requests than a few.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from authmw.bundle.in_force import BundleInForce
from authmw.checks.freshness import read_min_revision
from authmw.errors import IdentityUnavailable
from authmw.runtime.counts import Tally
from authmw.runtime.process import PerProcess
from authmw.token import Token


class DemandedFreshness:
    """Verifies that a bundle is as fresh as a request demands; a `Freshness`.

    Args:
        bundle: has the revision in force.
        max_age_seconds: greatest age of the facts (`bundle_service_max_age`); None: any that
            `bundle_max_age` allows.
        wait_seconds: how long a request may wait (`bundle_wait_time`).
        most_waiting: how many requests of one process may (`bundle_max_waiting`).
        clock: epoch seconds.
        waits: counts requests that waited, by outcome.
    """

    def __init__(
        self,
        bundle: BundleInForce,
        *,
        max_age_seconds: int | None,
        wait_seconds: float,
        most_waiting: int,
        clock: Callable[[], float],
        waits: Tally,
    ) -> None:
        self._bundle = bundle
        self._max_age_seconds = max_age_seconds
        self._wait_seconds = wait_seconds
        self._most_waiting = most_waiting
        self._clock = clock
        self._waits = waits
        self._places = PerProcess(lambda: threading.BoundedSemaphore(most_waiting))

    def is_met(self, token: Token, environ: Mapping[str, Any]) -> bool:
        """See `authmw.checks.freshness.Freshness`.

        A token that another source decided about than the bundle has no revision: it passes.
        """
        if token.revision is None:
            return True
        # Facts that came since the token was decided about may decide otherwise.
        return self._find_lack(read_min_revision(environ)) is None and self._bundle.stands(
            token.revision
        )

    def come_to(self, environ: Mapping[str, Any], *, may_wait: bool) -> bool:
        """See `authmw.checks.freshness.Freshness`."""
        least = read_min_revision(environ)
        lack = self._find_lack(least)
        if lack is None:
            return not may_wait
        if not may_wait or not self._wait_seconds:
            raise IdentityUnavailable(lack)
        self._wait(least, lack)
        return False

    def _find_lack(self, least: int | None) -> str | None:
        """Say why the facts in force are not fresh enough; None: they are."""
        revision = self._bundle.revision
        if revision is None:
            return "there is no bundle"
        number, read_at = revision.as_of
        if least is not None and number < least:
            return f"the service demands revision {least}, and revision {number} is in force"
        limit = self._max_age_seconds
        if limit is not None and abs(self._clock() - read_at) > limit:
            return (
                f"the facts of revision {number} are older than bundle_service_max_age = {limit} "
                "seconds"
            )
        return None

    def _wait(self, least: int | None, lack: str) -> None:
        places = self._places.get()
        if not places.acquire(blocking=False):
            self._waits.add("too_many")
            raise IdentityUnavailable(f"{lack}; {self._most_waiting} requests wait for it already")
        try:
            came = self._bundle.wait_until(
                lambda: self._find_lack(least) is None, self._wait_seconds
            )
        finally:
            places.release()
        self._waits.add("came" if came else "given_up")
        if not came:
            lack = self._find_lack(least) or lack
            raise IdentityUnavailable(f"{lack}, {self._wait_seconds} seconds later as well")

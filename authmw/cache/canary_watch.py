"""Looks from time to time whether services that share a memcached can read each other's entries.

In the background, so that no request waits for it. Each look is a get and a set of a small entry.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from authmw.cache.canary import Canary
from authmw.errors import CacheError

_log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 300.0
_FIRST_LOOKS: Final = 3
# One may be of a service that ended a moment ago, or of a command that was run with other options.
_SIGHTINGS_WITHIN_SECONDS: Final = 3600.0


class CanaryWatch:
    """Warns once of another service's canary; a `Refreshable`.

    What the first look finds may have been left by this service before its secret was changed, so
    only what comes later counts: then another service is alive, as ours was left at each look.
    Anyone who can write to memcached can cause the warning, once.

    Args:
        look: leaves our canary, and returns what was there; see `authmw.cache.canary`.
        first_at: epoch seconds of the first look.
    """

    def __init__(self, look: Callable[[], Canary], first_at: float = 0.0) -> None:
        self._look = look
        self._looks = 0
        self._seen_at = float("-inf")
        self._has_warned = False
        self.reload_at = first_at

    def reload(self, now: float) -> None:
        """Look once."""
        is_early = self._looks < _FIRST_LOOKS
        # First: no request is to take over from a look that waits for a server.
        self.reload_at = now + (FIRST_PAUSE_SECONDS if is_early else PAUSE_SECONDS)
        try:
            found = self._look()
        except CacheError:
            return  # requests notice, and log it
        self._looks += 1
        if found is not Canary.FOREIGN or self._looks == 1:
            return
        was_seen_before = now - self._seen_at < _SIGHTINGS_WITHIN_SECONDS
        self._seen_at = now
        if was_seen_before and not self._has_warned:
            self._has_warned = True
            _log.warning(
                "Another service writes to the same memcached with another memcache_secret_key or"
                " memcache_security_strategy, so neither can use what the other has validated:"
                " write the same secret and strategy for all services that are to share it. (While"
                " a secret is being changed this is as it should be.)"
            )

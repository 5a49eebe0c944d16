"""Warns where all tokens of one origin are refused for a reason that may be the deployment's.

One refused token says nothing: clients send anything. Several different ones in a row, none
accepted between them, all refused for what a wrong key, option or clock would refuse good ones for,
are worth a warning. Clients can still cause it at will, so it says "may", and is rare.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from authmw.errors import InvalidToken, Reason
from authmw.runtime.clock import steady_clock
from authmw.runtime.fingerprint import fingerprint
from authmw.runtime.printable import printable

_log = logging.getLogger(__name__)

TOKENS = 3
"""So many different tokens in a row are worth a warning."""
PAUSE_SECONDS = 600.0
"""Between two warnings about one origin."""
# Less may be the time that an answer takes.
_DIFFERENCE_SECONDS = 15
_LONGEST_REASON = 300


class RefusalStreak:
    """Refusals in a row of tokens of one origin.

    No lock: threads that come at the same time may warn twice, or a token later.

    Args:
        whose: the tokens, in words.
        fixes: what to correct, by reason; others say nothing of the deployment. That a token has
            expired does only where the clocks differ.
        find_clock_difference: returns how many seconds the issuer's clock is ahead of ours; None:
            it is not known.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        whose: str,
        fixes: Mapping[Reason, str],
        find_clock_difference: Callable[[], float | None] = lambda: None,
        *,
        clock: Callable[[], float] = steady_clock,
    ) -> None:
        self._whose = whose
        self._fixes = fixes
        self._find_clock_difference = find_clock_difference
        self._clock = clock
        self._tokens: frozenset[str] = frozenset()
        self._quiet_until = float("-inf")

    def note_accepted(self) -> None:
        """Note that a token was accepted."""
        if self._tokens:
            self._tokens = frozenset()

    def note_refused(self, token: str, refusal: InvalidToken) -> None:
        """Note that a token was refused, and warn if it is one too many."""
        fix = self._fixes.get(refusal.reason)
        if fix is None:
            return
        difference = self._find_large_difference()
        if refusal.reason is Reason.EXPIRED and difference is None:
            return
        if len(self._tokens) < TOKENS:
            self._tokens |= {fingerprint(token)}
        now = self._clock()
        if len(self._tokens) < TOKENS or now < self._quiet_until:
            return
        self._quiet_until = now + PAUSE_SECONDS
        if difference is not None and refusal.reason in (Reason.NOT_YET_VALID, Reason.EXPIRED):
            side = "behind" if difference > 0 else "ahead of"
            fix = (
                f"the clock of this host is {abs(difference):.0f} s {side} that of the server "
                f"(its Date header); {fix}"
            )
        _log.warning(
            "The last %d %s that were not known yet were all refused, lately because: %s. Clients"
            " may have sent what is not good; if the tokens are good, the deployment may be at"
            " fault: %s",
            TOKENS,
            self._whose,
            printable(str(refusal), _LONGEST_REASON),
            fix,
        )

    def _find_large_difference(self) -> float | None:
        difference = self._find_clock_difference()
        if difference is None or abs(difference) < _DIFFERENCE_SECONDS:
            return None
        return difference

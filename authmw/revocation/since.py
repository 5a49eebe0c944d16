"""How questions for revocation events say from when on: never twice in the same words."""

from __future__ import annotations

import itertools
import secrets
from datetime import UTC, datetime

from authmw.runtime.process import PerProcess


class SinceTimes:
    """Writes times that were never asked for before.

    Keystone remembers its answer for each `since`, and may go on giving it after there was
    an event. Events have whole seconds, so the fraction of one is free to be a number of ours;
    and nothing was revoked in the first days of 1970.
    """

    def __init__(self) -> None:
        # A fork must not go on with its parent's numbers: its sibling does.
        self._numbers = PerProcess(lambda: itertools.count(secrets.randbelow(10**12)))

    def render(self, asked_since: float) -> str:
        """Write a time in that second; from 0, one before any event.

        Args:
            asked_since: epoch seconds.
        """
        seconds, fraction = divmod(next(self._numbers.get()), 1_000_000)
        since = datetime.fromtimestamp(int(asked_since) or seconds, UTC)
        return f"{since:%Y-%m-%dT%H:%M:%S}.{fraction:06}Z"

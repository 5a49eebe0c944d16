"""Has background threads find out when outages begin and end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Protocol

from authmw.identity.outage_watch import OutageWatch, Probed
from authmw.runtime.refresh import Refresher

# How late a background probe may be before a request makes it.
_PROBE_PATIENCE_SECONDS = 5


class _Client(Probed, Protocol):
    def probe_in_background(self, wake: Callable[[], None], *, patience_seconds: float) -> None: ...


def watch_for_outages(client: _Client, refresher: Refresher) -> None:
    """Have a background thread probe an endpoint while it is in doubt.

    Args:
        client: of the endpoint.
        refresher: gets the thread.
    """
    watch = OutageWatch(client)
    refresher.add(watch, in_background=True)
    client.probe_in_background(
        functools.partial(refresher.wake, watch), patience_seconds=_PROBE_PATIENCE_SECONDS
    )

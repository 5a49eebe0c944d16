"""Probes the endpoint in the background during an outage, so that no request waits for it."""

from __future__ import annotations

from typing import Protocol


class Probed(Protocol):
    """The endpoint's client: `IdentityClient`."""

    def probe_at(self) -> float:
        """Return when a probe is due, in epoch seconds; infinity: never."""

    def probe_if_due(self) -> None:
        """Have our own token validated if a probe is due, and record the outcome; never raises."""


class OutageWatch:
    """Probes the identity endpoint while an outage is suspected or known.

    It is a `Refreshable`, and due only while the endpoint is in doubt.

    Args:
        probed: the client of the endpoint.
    """

    def __init__(self, probed: Probed) -> None:
        self._probed = probed

    @property
    def reload_at(self) -> float:
        """See `Refreshable`: when the next probe is due."""
        return self._probed.probe_at()

    def reload(self, now: float) -> None:  # noqa: ARG002 - the client has the same clock
        """Probe once."""
        self._probed.probe_if_due()

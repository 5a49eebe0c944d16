"""Finds the address in WWW-Authenticate: where a client gets a token."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

# How long a failed discovery is not tried again.
_PAUSE_SECONDS = 30.0


class AuthenticateUri:
    """Keeps the address that discovery found, for the life of the process."""

    def __init__(self) -> None:
        self._discovered: str | None = None
        self._not_before = 0.0  # monotonic seconds
        self._discovering = threading.Lock()

    @property
    def is_due(self) -> bool:
        """Whether discovery should be tried now."""
        return (
            self._discovered is None
            and time.monotonic() >= self._not_before
            and not self._discovering.locked()
        )

    def find(
        self, discover: Callable[[], str | None] | None, fall_back: Callable[[], str | None]
    ) -> str | None:
        """Return the best address known by now; never raises.

        Args:
            discover: asks the endpoint, returns None if that fails; called by one thread at a
                time, at most every 30 seconds. None: don't ask now.
            fall_back: returns an address without sending anything; may raise.
        """
        if self._discovered is not None:
            return self._discovered
        if (
            discover is not None
            and time.monotonic() >= self._not_before
            and self._discovering.acquire(blocking=False)
        ):
            try:
                self._discovered = _make_public(discover())
                self._not_before = time.monotonic() + _PAUSE_SECONDS
            finally:
                self._discovering.release()
        if self._discovered is not None:
            return self._discovered
        try:
            return _make_public(fall_back())
        except Exception:  # noqa: BLE001 - a plugin may raise anything: no address is known
            return None


def _make_public(uri: str | None) -> str | None:
    """Return the address without user and password; None if no header can quote it.

    A password in `auth_url` is for a proxy, not for clients. The path comes from a discovery
    document and may be any string.
    """
    if uri is None or not all("!" <= char <= "~" and char not in '"\\' for char in uri):
        return None
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

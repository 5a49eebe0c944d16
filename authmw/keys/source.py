"""What every source of public keys offers to those who use its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from authmw.jose.key_set import KeySet


class KeySource(Protocol):
    """Keeps a set of public keys fresh.

    Requests call `current` and `reload_early`, the refresher calls `reload`. All of them may be
    called from any thread.
    """

    @property
    def generation(self) -> int:
        """A number that grows whenever the set of usable keys changes. No I/O, no lock."""

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of `generation`."""

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next planned reload."""

    def current(self, now: float) -> KeySet:
        """Return the keys in use, without I/O.

        Raises:
            IdentityUnavailable: there are none, or they are older than `jws_keys_max_age`.
        """

    def reload(self, now: float) -> None:
        """Read the keys again. A source that can't be read is logged; nothing is raised.

        Returns after a bounded time, even while the source does not answer.
        """

    def reload_early(self, now: float) -> KeySet | None:
        """Reload because no key verifies a token.

        Returns:
            the key set after the reload; None when the last early reload was too recent, or this
            one takes longer than a request may wait.

        Raises:
            IdentityUnavailable: as `current` does.
        """

"""The protocols of a source of public keys.

A new kind of source is one class with the members of `KeyReader`, which reads the keys once, a
line in `authmw.build.offline.make_key_readers`, and the option that it is named by.
`authmw.keys.refreshed.RefreshedKeys` makes a `KeySource` of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from authmw.jose.key_set import KeySet
from authmw.jose.public_key import PublicKey, SkippedKey


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

    def begin_reload(self, now: float) -> Callable[[], object]:
        """Begin what `reload` does, and return the function that waits for its end."""

    def reload_early(self, now: float) -> KeySet | None:
        """Reload because no key verifies a token.

        Returns:
            the key set after the reload; None when the last early reload was too recent, or this
            one takes longer than a request may wait.

        Raises:
            IdentityUnavailable: as `current` does.
        """


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """What one reading of a source found."""

    keys: tuple[PublicKey, ...]
    """In the order to try them at first."""
    skipped: tuple[SkippedKey, ...] = ()
    """Keys and files that are not used, with the reason."""
    warnings: tuple[str, ...] = ()
    """Faults of keys that are used nevertheless, for the operator."""
    fresh_seconds: float = field(default=0.0, compare=False)
    """Until the next planned reading."""


class KeyReader(Protocol):
    """Reads the keys of one source.

    Attributes:
        option: the option that names the source.
        location: the value of that option: a path, a URI.
        early_interval_seconds: least time between the readings that tokens may cause.
        retry_seconds: time between readings while the source can't be read.
        first_wait_seconds: how long requests of a new process wait for its first reading.
    """

    option: str
    location: str
    early_interval_seconds: float
    retry_seconds: float
    first_wait_seconds: float

    def read(self, now: float) -> FoundKeys:
        """Read the keys; never called by two threads of a process at once.

        A reader that finds nothing changed returns the keys of its last reading again.

        Args:
            now: epoch seconds.

        Raises:
            KeysUnreadable: the message says why; it quotes nothing of what was read.
        """

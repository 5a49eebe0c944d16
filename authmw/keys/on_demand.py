"""A key source that is read for the first time when a token needs it."""

from __future__ import annotations

from collections.abc import Callable

from authmw.errors import IdentityUnavailable
from authmw.jose.key_set import KeySet
from authmw.keys.refreshed import RefreshedKeys
from authmw.runtime.lazy_refresh import LazyRefresh


class KeysOnDemand:
    """The keys of one issuer out of many, most of which may never send a token.

    The first token waits for the first reading, for a bounded time; from then on the keys are
    kept fresh in the background. See `KeySource`.

    Args:
        keys: of the issuer.
        refresh: keeps them fresh once they were needed.
    """

    def __init__(self, keys: RefreshedKeys, refresh: LazyRefresh) -> None:
        self._keys = keys
        self._refresh = refresh
        self._is_started = False

    @property
    def generation(self) -> int:
        return self._keys.generation

    def add_listener(self, listener: Callable[[], None]) -> None:
        self._keys.add_listener(listener)

    @property
    def reload_at(self) -> float:
        return self._keys.reload_at

    def find_trouble(self, now: float) -> str | None:
        """Return why there are no keys, without I/O; None: there are, or none is needed yet."""
        if self._is_started:
            try:
                self._keys.current(now)
            except IdentityUnavailable as error:
                return error.detail
        return None

    def current(self, now: float) -> KeySet:
        """Return the keys in use; the first call reads them. See `KeySource.current`."""
        if not self._is_started:
            self._start(now)
        return self._keys.current(now)

    def reload(self, now: float) -> None:
        self._keys.reload(now)

    def begin_reload(self, now: float) -> Callable[[], object]:
        return self._keys.begin_reload(now)

    def reload_early(self, now: float) -> KeySet | None:
        return self._keys.reload_early(now)

    def _start(self, now: float) -> None:
        # Requests that come meanwhile join the same reading.
        self._keys.reload(now)
        if not self._is_started:
            self._is_started = True
            self._refresh.start(self._keys)

"""Several key sources used as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from authmw.errors import IdentityUnavailable
from authmw.jose.key_set import KeySet
from authmw.keys.changes import KeyChanges
from authmw.keys.source import KeySource


class CombinedKeys(KeyChanges):
    """The keys of several sources (a directory and a JWK set behind a URI).

    While some sources have no keys, those of the others are used, and `KeySet.missing` says why: a
    token that no key verifies then gets 503, since a missing key might verify it.

    Args:
        sources: one or more.
    """

    def __init__(self, sources: Sequence[KeySource]) -> None:
        super().__init__()
        self._sources = tuple(sources)
        for source in self._sources:
            source.add_listener(self.count_change)
        # The sources' sets or errors, and the set made of them; replaced as one.
        self._combined: tuple[list[KeySet | str], KeySet] | None = None

    @property
    def reload_at(self) -> float:
        """Epoch seconds of the next planned reload of any source."""
        return min(source.reload_at for source in self._sources)

    def current(self, now: float) -> KeySet:
        """Return the keys of all sources, without I/O; see `KeySource.current`."""
        parts: list[KeySet | str] = []
        for source in self._sources:
            try:
                parts.append(source.current(now))
            except IdentityUnavailable as error:
                parts.append(error.detail)
        combined = self._combined
        # Kept while the parts are the same, since it has the last successful key first.
        if combined is None or combined[0] != parts:
            sets = [part for part in parts if isinstance(part, KeySet)]
            errors = "; ".join(part for part in parts if isinstance(part, str))
            if not sets:
                raise IdentityUnavailable(errors)
            keys = [key for part in sets for key in part.keys]
            self._combined = combined = (parts, KeySet(keys, errors or None))
        return combined[1]

    def reload(self, now: float) -> None:
        """Reload those sources whose time has come, all at once; see `KeySource.reload`."""
        self.begin_reload(now)()

    def begin_reload(self, now: float) -> Callable[[], object]:
        """Begin to reload those sources whose time has come; see `KeySource.begin_reload`."""
        # All begin before any is waited for: sources that don't answer cost one wait together.
        begun = [source.begin_reload(now) for source in self._sources if source.reload_at <= now]
        return lambda: [wait() for wait in begun]

    def reload_early(self, now: float) -> KeySet | None:
        """Reload every source that allows it; None if none does; see `KeySource.reload_early`."""
        granted = False
        for source in self._sources:
            try:
                granted |= source.reload_early(now) is not None
            except IdentityUnavailable:
                granted = True
        return self.current(now) if granted else None

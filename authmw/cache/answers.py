"""The identity endpoint's answers in the shared cache: entries read with care, and written."""

from __future__ import annotations

from dataclasses import replace

from authmw.cache.entry import TokenEntry, parse_entry
from authmw.cache.shared import Place, SharedCache
from authmw.errors import CacheError
from authmw.identity.answer import TokenAnswer


class AnswerEntries:
    """Reads and writes entries that hold one answer each.

    Args:
        cache: where they are kept; told of entries that can't be read.
        include_catalog: whether answers come with the token's catalog.
        clock_skew_seconds: how far ahead the clocks of those we share the cache with may be;
            an answer from further in the future is made up, or would be fresh for too long.
    """

    def __init__(
        self, cache: SharedCache, *, include_catalog: bool, clock_skew_seconds: int
    ) -> None:
        self._cache = cache
        self._include_catalog = include_catalog
        self._clock_skew_seconds = clock_skew_seconds

    def read(self, place: Place, now: float) -> TokenEntry | None:
        """Return the entry kept there, if it can serve us at all; its age is not judged."""
        if place.entry is None:
            return None
        try:
            entry = parse_entry(place.entry)
        except CacheError as fault:
            self._cache.report_unreadable(fault)
            return None
        if entry.answer.answered_at > now + self._clock_skew_seconds:
            return None
        if self._include_catalog:
            return entry if entry.has_catalog else None
        return replace(entry, answer=replace(entry.answer, catalog=None))

    def write(
        self, place: Place, answer: TokenAnswer, *, expires_at: int, ttl_seconds: int
    ) -> None:
        """Keep an answer there.

        Args:
            place: where.
            answer: what the endpoint said.
            expires_at: epoch seconds, kept in the entry.
            ttl_seconds: how long the cache may keep it.
        """
        entry = TokenEntry(answer, expires_at, has_catalog=self._include_catalog)
        try:
            place.put(entry.to_bytes(), ttl_seconds)
        except CacheError as fault:
            self._cache.report_unreadable(fault)

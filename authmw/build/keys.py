"""Keeps the keys of a reader fresh, counted and shown."""

from __future__ import annotations

from authmw.config.settings import Settings
from authmw.keys.refreshed import RefreshedKeys
from authmw.keys.source import KeyReader
from authmw.metrics import FilterMetrics, table


def keep_fresh(
    reader: KeyReader,
    settings: Settings,
    accepted_algorithms: frozenset[str],
    metrics: FilterMetrics,
    *,
    issuer: str = "",
) -> RefreshedKeys:
    """Return the keys of one reader, kept fresh, counted and shown.

    Args:
        reader: of a key source.
        settings: of the filter.
        accepted_algorithms: of the issuer.
        metrics: counts failures, and shows number and age.
        issuer: the name it is configured by; empty: Keystone.
    """
    keys = RefreshedKeys(
        reader,
        max_age_seconds=settings.jws_keys_max_age,
        accepted_algorithms=accepted_algorithms,
        failures=metrics.refresh_failures.count("keys", issuer),
    )
    metrics.watch(table.KEYS, lambda: keys.key_count, issuer, reader.option)
    metrics.watch(table.KEYS_READ, lambda: keys.read_at, issuer, reader.option)
    return keys

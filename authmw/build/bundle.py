"""Builds what an authority bundle decides (`jws_authority = bundle`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from authmw.authority.authorization import Authorization
from authmw.bundle.authority import BundleAuthority
from authmw.bundle.file import open_bundle
from authmw.bundle.freshness import DemandedFreshness
from authmw.bundle.hot_events import HotEvents
from authmw.bundle.in_force import BundleInForce
from authmw.bundle.revision import Revision
from authmw.bundle.revocations import BundleRevocations
from authmw.bundle.write_access import judge_file
from authmw.cache.memory import MemoryCache
from authmw.config.settings import Settings
from authmw.errors import BundleUnreadable
from authmw.metrics import table
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.revocation.revocations import Revocations


def make_bundle(settings: Settings, path: str, metrics: FilterMetrics) -> BundleInForce:
    """Return the bundle at a path, which is `bundle_path`; nothing is read yet.

    Args:
        settings: of the filter.
        path: of the file.
        metrics: show its age, revision and state.
    """
    bundle = BundleInForce(
        path,
        max_age_seconds=settings.bundle_max_age,
        warn_age_seconds=settings.bundle_warn_age,
        max_events=settings.revocation_max_events,
        max_staleness_seconds=settings.revocation_max_staleness,
    )
    _watch(bundle, metrics)
    return bundle


def _watch(bundle: BundleInForce, metrics: FilterMetrics) -> None:
    def of_facts(read: Callable[[Revision], float]) -> Callable[[], float | None]:
        return lambda: None if bundle.revision is None else read(bundle.revision)

    def of_events(read: Callable[[HotEvents], float]) -> Callable[[], float | None]:
        return lambda: None if bundle.hot_events is None else read(bundle.hot_events)

    metrics.watch(table.BUNDLE_READ, of_facts(lambda facts: facts.as_of.read_at), "facts")
    metrics.watch(table.BUNDLE_READ, of_events(lambda hot: hot.read_at), "events")
    metrics.watch(table.BUNDLE_REVISION, of_facts(lambda facts: facts.as_of.number), "facts")
    metrics.watch(table.BUNDLE_REVISION, of_events(lambda hot: hot.number), "events")
    metrics.watch(table.BUNDLE_UNUSABLE, lambda: bundle.is_unusable, "facts")
    metrics.watch(table.BUNDLE_UNUSABLE, lambda: bundle.is_hot_unusable, "events")
    metrics.watch(table.BUNDLE_EVENTS, of_facts(lambda facts: len(facts.events)), "facts")
    metrics.watch(table.BUNDLE_EVENTS, of_events(lambda hot: len(hot.events)), "events")


def find_fault(path: str) -> str | None:
    """Return why the file at a path can't be used as a bundle; None: it can."""
    try:
        judge_file(path)
        open_bundle(Path(path)).close()
    except BundleUnreadable as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    return None


def add_bundle_events(
    settings: Settings, bundle: BundleInForce, polled: Revocations
) -> BundleRevocations:
    """Return the events of a bundle and the polled ones as one.

    Args:
        settings: of the filter.
        bundle: whose events they are.
        polled: the others.
    """
    is_polled = settings.auth is not None or settings.revocation_poll_interval == 0
    return BundleRevocations(
        bundle,
        polled if is_polled else None,
        max_staleness_seconds=settings.revocation_max_staleness,
    )


def make_bundle_authority(
    settings: Settings, bundle: BundleInForce, memory: MemoryCache[Authorization]
) -> BundleAuthority:
    """Return the authority for `jws_authority = bundle`."""
    return BundleAuthority(
        bundle,
        memory=memory,
        fresh_seconds=settings.authority_cache_time,
        include_catalog=settings.include_service_catalog,
    )


def make_freshness(
    settings: Settings, bundle: BundleInForce, metrics: FilterMetrics, clock: Callable[[], float]
) -> DemandedFreshness:
    """Return what verifies how fresh the decisions are that services ask for."""
    return DemandedFreshness(
        bundle,
        max_age_seconds=settings.bundle_service_max_age,
        wait_seconds=settings.bundle_wait_time,
        most_waiting=settings.bundle_max_waiting,
        clock=clock,
        waits=metrics.bundle_waits,
    )

"""Builds what an authority bundle decides (`jws_authority = bundle`)."""

from __future__ import annotations

from pathlib import Path

from authmw.authority.authorization import Authorization
from authmw.bundle.authority import BundleAuthority
from authmw.bundle.file import open_bundle
from authmw.bundle.in_force import BundleInForce
from authmw.bundle.revocations import BundleRevocations
from authmw.bundle.write_access import judge_file
from authmw.cache.memory import MemoryCache
from authmw.config.settings import Settings
from authmw.errors import BundleUnreadable
from authmw.revocation.revocations import Revocations


def make_bundle(settings: Settings, path: str) -> BundleInForce:
    """Return the bundle at a path, which is `bundle_path`; nothing is read yet."""
    return BundleInForce(
        path,
        max_age_seconds=settings.bundle_max_age,
        warn_age_seconds=settings.bundle_warn_age,
        max_events=settings.revocation_max_events,
        max_staleness_seconds=settings.revocation_max_staleness,
    )


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

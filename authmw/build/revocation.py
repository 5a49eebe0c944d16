"""Builds the revocation feed, with the store through which processes share polls."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from authmw.build.cache import make_namespaces, name_endpoint
from authmw.config.settings import Settings, Validation
from authmw.identity.client import IdentityClient
from authmw.metrics import table
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.revocation.revocations import NoRevocations, Revocations
from authmw.runtime.clock import find_followed
from authmw.runtime.refresh import Refresher

if TYPE_CHECKING:
    from authmw.bundle.in_force import BundleInForce
    from authmw.revocation.sharing.store import SharedStore


# Options of auth plugins that name our own user and scope; none is secret.
_USER_AND_SCOPE = (
    "username",
    "user_id",
    "user_domain_id",
    "user_domain_name",
    "application_credential_id",
    "application_credential_name",
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
    "domain_id",
    "domain_name",
    "system_scope",
    "trust_id",
)


def make_revocations(
    settings: Settings,
    identity: IdentityClient,
    refresher: Refresher,
    metrics: FilterMetrics,
    bundle: BundleInForce | None = None,
) -> Revocations:
    """Return what knows revoked tokens: the feed, the events of a bundle, or both.

    `NoRevocations` where no token outlives its validation.
    """
    if bundle is None:
        return _make_feed(settings, identity, refresher, metrics, has_bundle=False)
    # Imported here: without a bundle nothing of it is loaded.
    from authmw.build.bundle import add_bundle_events

    polled = _make_feed(settings, identity, refresher, metrics, has_bundle=True)
    return add_bundle_events(settings, bundle, polled)


def _make_feed(
    settings: Settings,
    identity: IdentityClient,
    refresher: Refresher,
    metrics: FilterMetrics,
    *,
    has_bundle: bool,
) -> Revocations:
    verifies_here = settings.has_key_source and settings.token_validation is not Validation.REMOTE
    caches_tokens = settings.token_cache_time > 0 and settings.auth is not None
    if settings.revocation_poll_interval == 0 or not (verifies_here or caches_tokens):
        return NoRevocations()
    if has_bundle and settings.auth is None:
        return NoRevocations()  # nobody can be asked
    # Imported here, as a filter that polls nothing needs none of it.
    from authmw.revocation.feed import RevocationFeed
    from authmw.revocation.source import IdentityEvents

    feed = RevocationFeed(
        IdentityEvents(identity),
        poll_interval_seconds=settings.revocation_poll_interval,
        max_staleness_seconds=settings.revocation_max_staleness,
        retention_seconds=settings.revocation_retention,
        max_events=settings.revocation_max_events,
        # A poll that failed in one test would keep the filters of the next from polling.
        store=open_store(settings) if find_test_clock(settings) is None else None,
        failures=metrics.refresh_failures.count("revocation", ""),
    )
    metrics.watch(table.REVOCATION_ANSWERED, lambda: feed.answered_at)
    metrics.watch(table.REVOCATION_EVENTS, lambda: len(feed))
    # Remote tokens are accepted without events, and a bundle has some: then the first request need
    # not wait for them.
    refresher.add(feed, in_background=has_bundle or not verifies_here)
    return feed


def find_test_clock(settings: Settings) -> Callable[[], float] | None:
    """Return the clock of the test cloud that a filter belongs to; None: it belongs to none."""
    return None if settings.auth is None else find_followed(settings.auth.values.get("auth_url"))


def open_store(settings: Settings) -> SharedStore:
    """Return the store that processes share: those of a deployment, else those of one host.

    Anyone who can write to the store can make revoked tokens valid again, so memcached is used
    only where its entries are sealed. The cache of a request's environ can't be used: the feed
    polls between requests.
    """
    if settings.memcached_servers and settings.memcache_security_strategy is not None:
        from authmw.cache.memcached import open_memcached
        from authmw.revocation.sharing.memcached_store import MemcachedStore

        # It has connections of its own, so that requests that wait for one don't delay a poll.
        return MemcachedStore(
            open_memcached(settings), make_namespaces(settings, _name_group(settings))
        )
    from authmw.revocation.sharing.file_store import FileStore

    return FileStore(_shared_directory(), _name_store(settings))


def _shared_directory() -> Path:
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:
        # No directory can be written to now. The store reports that, and works once one can.
        temporary = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - FileStore verifies it
    return Path(temporary) / f"authmw-{os.geteuid()}"


def _name_store(settings: Settings) -> str:
    return "revocation-" + hashlib.sha256(_name_group(settings).encode()).hexdigest()[:16]


def _name_group(settings: Settings) -> str:
    """Return the identity endpoint and our own user and scope; one group shares events.

    A service that may not read events must not poll for another one that may.
    """
    options = settings.auth.values if settings.auth is not None else {}
    return " ".join(
        [name_endpoint(settings), *[f"{name}={options.get(name)}" for name in _USER_AND_SCOPE]]
    )

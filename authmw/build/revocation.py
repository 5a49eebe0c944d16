"""The revocation feed, put together: who is asked, and how processes share the answer."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from authmw.build.cache import make_namespaces, name_endpoint
from authmw.config.settings import Settings, Validation
from authmw.identity.client import IdentityClient
from authmw.revocation.verdict import NoRevocations, Revocations
from authmw.runtime.refresh import Refresher

if TYPE_CHECKING:
    from authmw.revocation.store import SharedStore


# Options of auth plugins that say who we are and on what; none is secret.
_ROLES_DEPEND_ON = (
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
    settings: Settings, identity: IdentityClient, refresher: Refresher
) -> Revocations:
    """Return what knows of revoked tokens; where nothing is remembered, nothing has to."""
    judges_here = settings.has_key_source and settings.token_validation is not Validation.REMOTE
    remembers = settings.token_cache_time > 0 and settings.auth is not None
    if settings.revocation_poll_interval == 0 or not (judges_here or remembers):
        return NoRevocations()
    # Imported here, as a filter that polls nothing needs none of it.
    from authmw.revocation.feed import RevocationFeed
    from authmw.revocation.identity_source import IdentityEvents

    feed = RevocationFeed(
        IdentityEvents(identity),
        poll_interval_seconds=settings.revocation_poll_interval,
        max_staleness_seconds=settings.revocation_max_staleness,
        retention_seconds=settings.revocation_retention,
        max_events=settings.revocation_max_events,
        store=open_store(settings),
    )
    # A remote answer is good without events, and the first request need not wait for them.
    refresher.add(feed, in_background=not judges_here)
    return feed


def open_store(settings: Settings) -> SharedStore:
    """Return where processes share events: all of a deployment, or those of one host.

    Whoever can write where they are shared can make revoked tokens good again, so memcached
    serves only where its entries are sealed. The cache of a request's environ is of no use
    here: the feed works between requests.
    """
    if settings.memcached_servers and settings.memcache_security_strategy is not None:
        from authmw.cache.memcached import open_memcached
        from authmw.revocation.memcached_store import MemcachedStore

        # With connections of its own: requests that wait for a free one don't delay it.
        return MemcachedStore(
            open_memcached(settings), make_namespaces(settings, _name_asker(settings))
        )
    from authmw.revocation.file_store import FileStore

    return FileStore(_shared_directory(), _name_store(settings))


def _shared_directory() -> Path:
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:
        # No directory can be written to now. Whoever wants to will say so, and find out when
        # there is room again.
        temporary = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - FileStore trusts nobody
    return Path(temporary) / f"authmw-{os.geteuid()}"


def _name_store(settings: Settings) -> str:
    return "revocation-" + hashlib.sha256(_name_asker(settings).encode()).hexdigest()[:16]


def _name_asker(settings: Settings) -> str:
    """Return what tells those apart who may not be told the same.

    That is the identity endpoint, and our own user: a service that may not read events must
    not be the one that polls for another that may.
    """
    options = settings.auth.values if settings.auth is not None else {}
    return " ".join(
        [name_endpoint(settings), *[f"{name}={options.get(name)}" for name in _ROLES_DEPEND_ON]]
    )

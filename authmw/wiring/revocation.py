"""The revocation feed, put together: who is asked, and how processes share the answer."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from authmw.identity.client import IdentityClient
from authmw.refresh import Refresher
from authmw.revocation.verdict import NoRevocations, Revocations
from authmw.settings import Settings, Validation
from authmw.wiring.cache import name_endpoint


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
    from authmw.revocation.file_store import FileStore
    from authmw.revocation.identity_source import IdentityEvents

    feed = RevocationFeed(
        IdentityEvents(identity),
        poll_interval_seconds=settings.revocation_poll_interval,
        max_staleness_seconds=settings.revocation_max_staleness,
        retention_seconds=settings.revocation_retention,
        max_events=settings.revocation_max_events,
        store=FileStore(_shared_directory(), _name_store(settings)),
    )
    # A remote answer is good without events, and the first request need not wait for them.
    refresher.add(feed, in_background=not judges_here)
    return feed


def _shared_directory() -> Path:
    return Path(tempfile.gettempdir()) / f"authmw-{os.geteuid()}"


def _name_store(settings: Settings) -> str:
    return "revocation-" + hashlib.sha256(name_endpoint(settings).encode()).hexdigest()[:16]

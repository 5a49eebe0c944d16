"""Remote validation, put together: the identity endpoint and the shared cache before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.identity.answer import TokenSource
from authmw.settings import Settings
from authmw.validation.remote import RemoteValidator

if TYPE_CHECKING:
    from authmw.cache.shared import SharedCache


def make_token_source(
    settings: Settings, endpoint: TokenSource, cache: SharedCache | None
) -> TokenSource:
    """Return the endpoint, with the shared cache in front where there is one."""
    if cache is None or settings.token_cache_time <= 0:
        return endpoint
    from authmw.cache.token_answers import CachedTokenSource

    return CachedTokenSource(
        endpoint,
        cache,
        cache_seconds=settings.token_cache_time,
        grace_seconds=_usable_grace(settings),
        include_catalog=settings.include_service_catalog,
        clock_skew_seconds=settings.clock_skew_tolerance,
    )


def make_remote_validator(settings: Settings, source: TokenSource) -> RemoteValidator:
    """Return the validator that asks a source."""
    return RemoteValidator(
        source,
        cache_seconds=settings.token_cache_time,
        grace_seconds=_usable_grace(settings),
    )


def _usable_grace(settings: Settings) -> int:
    # Past the other bound nobody knows any more whether a token was revoked.
    return min(settings.identity_outage_grace, settings.revocation_max_staleness)

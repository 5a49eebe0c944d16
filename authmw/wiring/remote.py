"""Remote validation, put together: the identity endpoint and the shared cache before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.identity.answer import TokenSource
from authmw.settings import Settings
from authmw.validation.remote import RemoteValidator

if TYPE_CHECKING:
    from authmw.cache.shared import SharedCache


def make_remote_validator(
    settings: Settings, endpoint: TokenSource, cache: SharedCache | None
) -> RemoteValidator:
    """Return the validator that asks the endpoint, through the shared cache if there is one."""
    sources = [endpoint]
    if cache is not None and settings.token_cache_time > 0:
        from authmw.cache.token_answers import CachedTokenSource

        cached = CachedTokenSource(
            endpoint,
            cache,
            cache_seconds=settings.token_cache_time,
            grace_seconds=_usable_grace(settings),
            include_catalog=settings.include_service_catalog,
            clock_skew_seconds=settings.clock_skew_tolerance,
        )
        sources.insert(0, cached)
    return RemoteValidator(
        sources,
        cache_seconds=settings.token_cache_time,
        grace_seconds=_usable_grace(settings),
    )


def _usable_grace(settings: Settings) -> int:
    # Past the other bound nobody knows any more whether a token was revoked.
    return min(settings.identity_outage_grace, settings.revocation_max_staleness)

"""The shared cache before the identity endpoint, put together: one for all that is kept in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authmw.answers.source import AnswerSource, EndpointAnswers, SharedAnswers
from authmw.config.settings import Settings
from authmw.identity.token_response import TokenSource

if TYPE_CHECKING:
    from authmw.cache.shared import SharedCache


def make_shared_cache(settings: Settings) -> SharedCache | None:
    """Return the cache that the configuration asks for; None: it asks for none.

    Raises ConfigurationError where the options can't be followed.
    """
    if not (settings.memcached_servers or settings.cache):
        return None
    # Imported here, as most of what it takes is not needed without a shared cache.
    from authmw.cache.assembly import open_shared_cache

    return open_shared_cache(settings, name_endpoint(settings))


def make_source(
    settings: Settings,
    endpoint: TokenSource,
    cache: SharedCache | None,
    *,
    remember_seconds: int,
) -> AnswerSource[Any]:
    """Return what answers about tokens or bearers: the endpoint, behind the cache if any.

    Args:
        settings: of the filter.
        endpoint: asked for what is not remembered.
        cache: where answers are remembered; None: nowhere.
        remember_seconds: as of `SharedAnswers`.
    """
    if cache is None:
        return EndpointAnswers(endpoint)
    return SharedAnswers(
        endpoint,
        cache,
        include_catalog=settings.include_service_catalog,
        clock_skew_seconds=settings.clock_skew_tolerance,
        remember_seconds=remember_seconds,
    )


def name_endpoint(settings: Settings) -> str:
    """Return what tells the identity service we ask from another one.

    Services that write the same address in different ways share what they remember.
    """
    options = settings.auth.values if settings.auth is not None else {}
    url = str(options.get("auth_url") or options.get("endpoint") or "")
    return f"{url.rstrip('/').removesuffix('/v3').rstrip('/')} {settings.region_name or ''}"

"""Builds the shared cache, with the answer sources that use it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from authmw.answers.source import AnswerSource, EndpointAnswers, SharedAnswers
from authmw.config.settings import Settings
from authmw.identity.token_response import TokenSource
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.runtime.refresh import Refresher

if TYPE_CHECKING:
    from authmw.cache.shared import BytesCache, SealedNamespace, SharedCache


def open_shared_cache(
    settings: Settings, endpoint: str, metrics: FilterMetrics | None = None
) -> SharedCache | None:
    """Return the shared cache that the configuration asks for; None: it asks for none.

    Args:
        settings: of the filter.
        endpoint: tells the identity service from others; see `name_endpoint`.
        metrics: counts its faults; None: nothing does.

    Nothing is sent yet. Raises ConfigurationError if an option is wrong.
    """
    cache: BytesCache | None = None
    # Imported here and below: a filter without a shared cache needs none of it.
    if settings.memcached_servers:
        from authmw.cache.memcached import open_memcached

        cache = open_memcached(settings)
    if settings.cache is not None:
        from authmw.cache.environ import EnvironCache

        cache = EnvironCache(settings.cache, fallback=cache)
    if cache is None:
        return None
    from authmw.cache.fault_log import FaultLog
    from authmw.cache.shared import SharedCache

    faults = None if metrics is None else metrics.cache_faults
    return SharedCache(cache, make_namespaces(settings, endpoint), FaultLog(faults=faults))


def watch_canary(settings: Settings, refresher: Refresher) -> None:
    """Have a background thread notice services that share memcached and can't read our entries.

    Args:
        settings: of the filter; without memcached nothing is done.
        refresher: gets the thread.
    """
    if not settings.memcached_servers:
        return
    from authmw.cache.canary import leave_canary
    from authmw.cache.canary_watch import CanaryWatch
    from authmw.cache.memcached import open_memcached

    look = functools.partial(
        leave_canary,
        open_memcached(settings),
        make_namespaces(settings, ""),
        name_endpoint(settings),
    )
    refresher.add(CanaryWatch(look), in_background=True)


def make_namespaces(settings: Settings, endpoint: str) -> list[SealedNamespace]:
    """Return the namespace of the secret in use, then that of the previous one.

    Raises ConfigurationError where the sealing that is asked for can't be used.
    """
    from authmw.cache.digests import KeyMaker
    from authmw.cache.sealing import EncryptSealing, MacSealing, NoSealing, Sealing
    from authmw.cache.secret import Secret
    from authmw.cache.shared import SealedNamespace

    def make(secret: Secret | None, sealing: Sealing) -> SealedNamespace:
        return SealedNamespace(KeyMaker(endpoint, secret, sealing), sealing)

    strategy = settings.memcache_security_strategy
    if strategy is None:
        return [make(None, NoSealing())]
    seal = EncryptSealing if strategy == "ENCRYPT" else MacSealing
    texts = (settings.memcache_secret_key, settings.memcache_secret_key_previous)
    secrets = [Secret(text) for text in texts if text]
    return [make(secret, seal(secret)) for secret in secrets]


def make_source(
    settings: Settings,
    endpoint: TokenSource,
    cache: SharedCache | None,
    *,
    remember_seconds: int,
    metrics: FilterMetrics,
) -> AnswerSource[Any]:
    """Return the source of answers about tokens or bearers: the endpoint, behind the cache if any.

    Args:
        settings: of the filter.
        endpoint: asked for answers that are not cached.
        cache: stores the answers; None: none are stored.
        remember_seconds: see `SharedAnswers`.
        metrics: counts what the cache has.
    """
    if cache is None:
        return EndpointAnswers(endpoint)
    return SharedAnswers(
        endpoint,
        cache,
        include_catalog=settings.include_service_catalog,
        clock_skew_seconds=settings.clock_skew_tolerance,
        remember_seconds=remember_seconds,
        hits=metrics.lookups.count("shared", "hit"),
        misses=metrics.lookups.count("shared", "miss"),
    )


def name_endpoint(settings: Settings) -> str:
    """Return a name that tells the identity service of this filter from another.

    Services that write one address in different ways share their cached answers.
    """
    options = settings.auth.values if settings.auth is not None else {}
    url = str(options.get("auth_url") or options.get("endpoint") or "")
    return f"{url.rstrip('/').removesuffix('/v3').rstrip('/')} {settings.region_name or ''}"

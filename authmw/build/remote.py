"""Builds remote validation: the identity endpoint behind the shared cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authmw.answers.tokens import TokenLifetime
from authmw.authority.authorization import Authorization
from authmw.authority.identity import IdentityAuthority
from authmw.authority.rate import RenewalRate
from authmw.build.cache import make_source
from authmw.cache.memory import MemoryCache
from authmw.config.settings import Settings
from authmw.identity.token_response import TokenSource
from authmw.metrics import table
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.revocation.revocations import Revocations
from authmw.runtime.refresh import Refresher
from authmw.validation.measured import MeasuredValidator
from authmw.validation.remote import RemoteValidator
from authmw.validation.validator import Validator

if TYPE_CHECKING:
    from authmw.cache.shared import SharedCache


def make_remote_validator(
    settings: Settings,
    endpoint: TokenSource,
    cache: SharedCache | None,
    revocations: Revocations,
    bearers: IdentityAuthority,
    metrics: FilterMetrics,
) -> Validator:
    """Return the validator that asks the endpoint, through the shared cache if there is one."""
    grace_seconds = _usable_grace(settings)
    renews = renews_bearers(settings)
    remote = RemoteValidator(
        make_source(
            settings,
            endpoint,
            cache if settings.token_cache_time > 0 else None,
            remember_seconds=settings.token_cache_time + grace_seconds,
            metrics=metrics,
        ),
        TokenLifetime(
            settings.token_cache_time,
            grace_seconds,
            expired_seconds=min(settings.token_cache_time, settings.authority_cache_time)
            if renews
            else settings.token_cache_time,
        ),
        revocations,
        bearers if renews else None,
    )
    return MeasuredValidator(remote, metrics.validations, "remote")


def renews_bearers(settings: Settings) -> bool:
    """Tell whether roles are renewed more often than tokens are validated."""
    return (
        settings.authority_renewal_rate > 0
        and settings.auth is not None
        and settings.authority_cache_time < settings.token_cache_time
    )


def make_bearers(
    settings: Settings,
    endpoint: TokenSource,
    cache: SharedCache | None,
    refresher: Refresher,
    metrics: FilterMetrics,
) -> IdentityAuthority:
    """Return the authority that asks the endpoint about bearers; it is not in `refresher` yet."""
    memory = MemoryCache[Authorization](
        max_entries=settings.memory_cache_size, max_bytes=settings.memory_cache_bytes
    )
    refresher.when_set_back(memory.clear)
    watch_memory(metrics, memory, "bearer")
    return IdentityAuthority(
        make_source(
            settings,
            endpoint,
            cache,
            remember_seconds=settings.authority_cache_time + settings.identity_outage_grace,
            metrics=metrics,
        ),
        memory=memory,
        fresh_seconds=settings.authority_cache_time,
        grace_seconds=settings.identity_outage_grace,
        deadline_seconds=settings.identity_deadline,
        rate=RenewalRate(settings.authority_renewal_rate),
        wake=refresher.wake,
        joined=metrics.flights_joined.count("bearer"),
    )


def watch_memory(metrics: FilterMetrics, memory: MemoryCache[Any], subject: str) -> None:
    """Show what a memory holds."""
    metrics.watch(table.MEMORY_ENTRIES, lambda: len(memory), subject)
    metrics.watch(table.MEMORY_BYTES, lambda: memory.size, subject)


def _usable_grace(settings: Settings) -> int:
    # Past revocation_max_staleness, revocations of the token may be unknown.
    return min(settings.identity_outage_grace, settings.revocation_max_staleness)

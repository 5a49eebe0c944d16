"""Builds offline validation: key sources, verifier, authority."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from authmw.answers.refusal_times import RefusalTimes
from authmw.authority.authorization import Authorization
from authmw.authority.claims import ClaimsAuthority
from authmw.authority.identity import IdentityAuthority
from authmw.authority.keystone_claims import name_refused
from authmw.authority.sources import Authority, AuthoritySources
from authmw.build.keys import keep_fresh
from authmw.cache.memory import MemoryCache
from authmw.config.settings import Settings
from authmw.identity.documents import DocumentFetcher
from authmw.jose.registered_claims import ClaimRules
from authmw.jose.verifier import JwsVerifier, VerificationKeys
from authmw.keys.combined import CombinedKeys
from authmw.keys.directory import KeyDirectory
from authmw.keys.jwks_uri import JwksUri
from authmw.keys.source import KeyReader, KeySource
from authmw.logs.reasons import describe_keystone_fixes
from authmw.logs.streak import RefusalStreak
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.revocation.revocations import Revocations
from authmw.validation.measured import MeasuredValidator
from authmw.validation.offline import OfflineValidator
from authmw.validation.validator import Validator
from authmw.validation.watched import WatchedValidator

if TYPE_CHECKING:  # few filters have a bundle
    from authmw.bundle.in_force import BundleInForce


def make_offline(
    settings: Settings,
    keys: KeySource,
    revocations: Revocations,
    bearers: IdentityAuthority,
    metrics: FilterMetrics,
    find_clock_difference: Callable[[], float | None],
    bundle: BundleInForce | None = None,
) -> Validator:
    """Put offline validation together; nothing is read yet.

    Args:
        settings: of the filter; `has_key_source` is true.
        keys: the public keys that verify signatures.
        revocations: compares tokens with revocation events.
        bearers: the authority for `jws_authority = identity`.
        metrics: counts and times validations.
        find_clock_difference: see `RefusalStreak`.
        bundle: that of `jws_authority = bundle`; None: another source has names and roles.
    """
    refused_at = None
    if settings.revocation_poll_interval == 0:
        refused_at = RefusalTimes(settings.revocation_retention)
    offline = OfflineValidator(
        make_verifier(settings, keys),
        _make_authority(settings, bearers, bundle),
        revocations,
        refused_at,
        hits=metrics.lookups.count("authority", "hit"),
        misses=metrics.lookups.count("authority", "miss"),
    )
    measured = MeasuredValidator(offline, metrics.validations, "offline")
    if settings.shadow_validation:
        return measured  # which refuses nothing, and every difference is logged
    fixes = describe_keystone_fixes(settings.jws_public_key_repository, settings.jws_jwks_uri)
    streak = RefusalStreak("tokens signed by Keystone", fixes, find_clock_difference)
    return WatchedValidator(measured, streak)


def make_verifier(settings: Settings, keys: VerificationKeys) -> JwsVerifier:
    """Return what verifies signatures and registered claims."""
    return JwsVerifier(
        keys,
        accepted_algorithms=frozenset(settings.jws_accepted_algorithms),
        max_keys=settings.jws_max_keys,
        max_size=settings.max_token_size,
        rules=ClaimRules(settings.jws_issuer, settings.jws_audience, settings.clock_skew_tolerance),
        name_refused=name_refused,
    )


def make_key_source(settings: Settings, metrics: FilterMetrics) -> KeySource:
    """Return the source of the public keys: a directory, a URI, or both."""
    accepted = frozenset(settings.jws_accepted_algorithms)
    sources = [
        keep_fresh(reader, settings, accepted, metrics) for reader in make_key_readers(settings)
    ]
    return sources[0] if len(sources) == 1 else CombinedKeys(sources)


def make_key_readers(settings: Settings) -> list[KeyReader]:
    """Return a reader for each configured key source; add a new kind of source here."""
    readers: list[KeyReader] = []
    if settings.jws_public_key_repository is not None:
        readers.append(KeyDirectory(settings.jws_public_key_repository))
    if settings.jws_jwks_uri is not None:
        readers.append(JwksUri(settings.jws_jwks_uri, DocumentFetcher(settings)))
    return readers


def _make_authority(
    settings: Settings, bearers: IdentityAuthority, bundle: BundleInForce | None
) -> Authority:
    sources: list[Authority] = []
    for name in settings.jws_authority:
        if name == "claims":
            sources.append(
                ClaimsAuthority(
                    memory=_make_memory(settings),
                    names=settings.jws_claim_names,
                    admin_project=_admin_project(settings),
                    fresh_seconds=settings.authority_cache_time,
                )
            )
        elif name == "bundle" and bundle is not None:
            # Imported here: without a bundle nothing of it is loaded.
            from authmw.build.bundle import make_bundle_authority

            sources.append(make_bundle_authority(settings, bundle, _make_memory(settings)))
        elif name == "identity":
            sources.append(bearers)
    return sources[0] if len(sources) == 1 else AuthoritySources(sources)


def _make_memory(settings: Settings) -> MemoryCache[Authorization]:
    return MemoryCache(
        max_entries=settings.memory_cache_size, max_bytes=settings.memory_cache_bytes
    )


def _admin_project(settings: Settings) -> tuple[str, str] | None:
    if settings.admin_project_name is None or settings.admin_project_domain_name is None:
        return None
    return settings.admin_project_name, settings.admin_project_domain_name

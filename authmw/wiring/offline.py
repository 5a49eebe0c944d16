"""Offline validation, put together: key sources, verifier and authority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.authority import Answer, Authority, Question
from authmw.authority.claims import ClaimsAuthority
from authmw.authority.identity import Ask, IdentityAuthority
from authmw.authority.sources import AuthoritySources
from authmw.cache.memory import MemoryCache
from authmw.identity.answer import TokenAnswer, TokenSource
from authmw.identity.documents import DocumentFetcher
from authmw.jose.claims import ClaimRules
from authmw.jose.key_set import KeySource
from authmw.jose.verifier import JwsVerifier
from authmw.keys.combined import CombinedKeys
from authmw.keys.directory import KeyDirectory
from authmw.keys.jwks_uri import JwksUri
from authmw.refresh import Refresher
from authmw.revocation.verdict import Revocations
from authmw.settings import Settings
from authmw.validation.offline import OfflineValidator

if TYPE_CHECKING:
    from authmw.cache.shared import SharedCache


def make_offline(
    settings: Settings,
    endpoint: TokenSource,
    cache: SharedCache | None,
    revocations: Revocations,
    refresher: Refresher,
) -> OfflineValidator:
    """Put offline validation together; nothing is read yet.

    Args:
        settings: of the filter; `has_key_source` is true.
        endpoint: answers for `jws_authority = identity`.
        cache: shares those answers with other processes; None: nothing does.
        revocations: which tokens were revoked.
        refresher: gets what has to be kept fresh.

    Raises:
        ConfigurationError: a source that can't be had was asked for.
    """
    keys = make_key_source(settings)
    refresher.add(keys)
    return OfflineValidator(
        make_verifier(settings, keys),
        _make_authority(settings, endpoint, cache, refresher),
        revocations,
    )


def make_verifier(settings: Settings, keys: KeySource) -> JwsVerifier:
    """Return what verifies signatures and registered claims."""
    return JwsVerifier(
        keys,
        accepted_algorithms=frozenset(settings.jws_accepted_algorithms),
        max_keys=settings.jws_max_keys,
        max_size=settings.max_token_size,
        rules=ClaimRules(settings.jws_issuer, settings.jws_audience, settings.clock_skew_tolerance),
    )


def make_key_source(settings: Settings) -> KeySource:
    """Return where the public keys come from: a directory, a URI, or both."""
    sources: list[KeySource] = []
    accepted = frozenset(settings.jws_accepted_algorithms)
    if settings.jws_public_key_repository is not None:
        sources.append(
            KeyDirectory(
                settings.jws_public_key_repository,
                max_age_seconds=settings.jws_keys_max_age,
                accepted_algorithms=accepted,
            )
        )
    if settings.jws_jwks_uri is not None:
        sources.append(
            JwksUri(
                settings.jws_jwks_uri,
                DocumentFetcher(settings),
                max_age_seconds=settings.jws_keys_max_age,
                accepted_algorithms=accepted,
            )
        )
    return sources[0] if len(sources) == 1 else CombinedKeys(sources)


def _make_authority(
    settings: Settings, endpoint: TokenSource, cache: SharedCache | None, refresher: Refresher
) -> AuthoritySources:
    sources: list[Authority] = []
    for name in settings.jws_authority:
        if name == "claims":
            sources.append(
                ClaimsAuthority(
                    answers=_make_answers(settings),
                    names=settings.jws_claim_names,
                    admin_project=_admin_project(settings),
                    fresh_seconds=settings.authority_cache_time,
                )
            )
        else:
            answers = _make_answers(settings)
            refresher.when_set_back(answers.clear)
            identity = IdentityAuthority(
                _make_ask(settings, endpoint, cache),
                answers=answers,
                fresh_seconds=settings.authority_cache_time,
                grace_seconds=settings.identity_outage_grace,
                deadline_seconds=settings.identity_deadline,
                wake=refresher.wake,
            )
            sources.append(identity)
            refresher.add(identity)
    return AuthoritySources(sources)


def _make_ask(settings: Settings, endpoint: TokenSource, cache: SharedCache | None) -> Ask:
    if cache is not None:
        from authmw.cache.authority_answers import CachedAuthoritySource

        return CachedAuthoritySource(
            endpoint,
            cache,
            cache_seconds=settings.authority_cache_time,
            grace_seconds=settings.identity_outage_grace,
            include_catalog=settings.include_service_catalog,
            clock_skew_seconds=settings.clock_skew_tolerance,
        )

    def ask(question: Question, now: float, *, newer_than: int) -> TokenAnswer:  # noqa: ARG001
        return endpoint.fetch_token_answer(question.token, allow_expired=False, now=now)

    return ask


def _make_answers(settings: Settings) -> MemoryCache[Answer]:
    return MemoryCache(
        max_entries=settings.memory_cache_size, max_bytes=settings.memory_cache_bytes
    )


def _admin_project(settings: Settings) -> tuple[str, str] | None:
    if settings.admin_project_name is None or settings.admin_project_domain_name is None:
        return None
    return settings.admin_project_name, settings.admin_project_domain_name

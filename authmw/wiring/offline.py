"""Offline validation, put together: key sources, verifier and authority."""

from __future__ import annotations

from dataclasses import dataclass

from authmw.authority import Answer, Authority
from authmw.authority.claims import ClaimsAuthority
from authmw.authority.identity import IdentityAuthority
from authmw.authority.sources import AuthoritySources
from authmw.cache.memory import MemoryCache
from authmw.errors import ConfigurationError
from authmw.identity.answer import TokenSource
from authmw.identity.documents import DocumentFetcher
from authmw.jose.claims import ClaimRules
from authmw.jose.key_set import KeySource
from authmw.jose.verifier import JwsVerifier
from authmw.keys.combined import CombinedKeys
from authmw.keys.directory import KeyDirectory
from authmw.keys.jwks_uri import JwksUri
from authmw.refresh import Refreshable
from authmw.settings import Settings
from authmw.validation.offline import OfflineValidator


@dataclass(frozen=True)
class Offline:
    """Offline validation, and what of it has to be kept fresh."""

    validator: OfflineValidator
    refreshables: tuple[Refreshable, ...]


def make_offline(settings: Settings, endpoint: TokenSource) -> Offline:
    """Put offline validation together; nothing is read yet.

    Args:
        settings: of the filter; `has_key_source` is true.
        endpoint: answers for `jws_authority = identity`.

    Raises:
        ConfigurationError: a source that can't be had was asked for.
    """
    keys = make_key_source(settings)
    authority, refreshables = _make_authority(settings, endpoint)
    verifier = JwsVerifier(
        keys,
        accepted_algorithms=frozenset(settings.jws_accepted_algorithms),
        max_keys=settings.jws_max_keys,
        max_size=settings.max_token_size,
        rules=ClaimRules(settings.jws_issuer, settings.jws_audience, settings.clock_skew_tolerance),
    )
    return Offline(OfflineValidator(verifier, authority), (keys, *refreshables))


def make_key_source(settings: Settings) -> KeySource:
    """Return where the public keys come from: a directory, a URI, or both."""
    sources: list[KeySource] = []
    if settings.jws_public_key_repository is not None:
        sources.append(
            KeyDirectory(
                settings.jws_public_key_repository, max_age_seconds=settings.jws_keys_max_age
            )
        )
    if settings.jws_jwks_uri is not None:
        sources.append(
            JwksUri(
                settings.jws_jwks_uri,
                DocumentFetcher(settings),
                max_age_seconds=settings.jws_keys_max_age,
            )
        )
    return sources[0] if len(sources) == 1 else CombinedKeys(sources)


def _make_authority(
    settings: Settings, endpoint: TokenSource
) -> tuple[AuthoritySources, tuple[Refreshable, ...]]:
    sources: list[Authority] = []
    refreshables: list[Refreshable] = []
    for name in settings.jws_authority:
        if name == "claims":
            sources.append(
                ClaimsAuthority(
                    answers=_make_answers(settings),
                    names={},
                    admin_project=_admin_project(settings),
                    fresh_seconds=settings.authority_cache_time,
                )
            )
        elif name == "identity":
            identity = IdentityAuthority(
                lambda question, now: endpoint.fetch_token_answer(
                    question.token, allow_expired=False, now=now
                ),
                answers=_make_answers(settings),
                fresh_seconds=settings.authority_cache_time,
                grace_seconds=settings.identity_outage_grace,
                deadline_seconds=settings.identity_deadline,
            )
            sources.append(identity)
            refreshables.append(identity)
        else:
            raise ConfigurationError(
                "jws_authority", name, "bundles are not built yet; write identity or claims"
            )
    return AuthoritySources(sources), tuple(refreshables)


def _make_answers(settings: Settings) -> MemoryCache[Answer]:
    return MemoryCache(
        max_entries=settings.memory_cache_size, max_bytes=settings.memory_cache_bytes
    )


def _admin_project(settings: Settings) -> tuple[str, str] | None:
    if settings.admin_project_name is None or settings.admin_project_domain_name is None:
        return None
    return settings.admin_project_name, settings.admin_project_domain_name

"""The issuers of a filter, put together: keys, revocation lists, introspection."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authmw.build.keys import keep_fresh
from authmw.build.remote import watch_memory
from authmw.cache.memory import MemoryCache
from authmw.config.issuer_settings import Connection, IssuerSettings, connect_to
from authmw.config.settings import Settings
from authmw.identity.discovery import DiscoveryReader
from authmw.identity.documents import DocumentFetcher
from authmw.issuers.record import Issuer
from authmw.issuers.table import IssuerTable
from authmw.issuers.verifier import IssuerVerifier
from authmw.keys.directory import KeyDirectory
from authmw.keys.discovered import DiscoveredKeys
from authmw.keys.jwks_uri import Fetch, JwksUri
from authmw.keys.on_demand import KeysOnDemand
from authmw.keys.source import KeyReader, KeySource
from authmw.logs.reasons import describe_issuer_fixes
from authmw.logs.streak import RefusalStreak
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.revocation.revoked_ids import RevokedIds
from authmw.runtime.lazy_refresh import LazyRefresh
from authmw.runtime.refresh import Refresher
from authmw.validation.issuer_standing import IssuerStanding
from authmw.validation.issuers import Bearer, IssuersValidator
from authmw.validation.validator import Validator

if TYPE_CHECKING:
    from authmw.build.introspection import Introspecting


@dataclass(frozen=True, slots=True)
class IssuerParts:
    """The issuers of one filter.

    Attributes:
        standings: by `Issuer.key`; `authmw.revalidation` judges remembered tokens by them.
        introspection: asks the one whose tokens are opaque; None: there is none.
        streaks: of refusals, by `Issuer.key`.
    """

    table: IssuerTable
    verifier: IssuerVerifier
    standings: Mapping[str, IssuerStanding]
    introspection: Introspecting | None
    streaks: Mapping[str, RefusalStreak]


def make_issuer_parts(
    settings: Settings,
    refresher: Refresher,
    *,
    metrics: FilterMetrics,
    clock: Callable[[], float],
) -> IssuerParts:
    """Put the issuers together; nothing is read yet, of any of them.

    Args:
        settings: of the filter.
        refresher: keeps fresh what tokens were judged by.
        metrics: counts and times what is done with them.
        clock: epoch seconds.

    Raises:
        ConfigurationError: an option or a file is wrong.
    """
    refresh = LazyRefresh()
    refresher.add(refresh, in_background=True)
    refresh.wake_with(functools.partial(refresher.wake, refresh))
    # Issuers without options of their own share connections.
    shared = DocumentFetcher(settings)
    fetchers = {
        issuer.name: shared
        if issuer.connection == Connection()
        else make_document_fetcher(settings, issuer)
        for issuer in settings.issuers
    }
    standings = {
        record.key: _make_standing(
            settings, issuer, record, fetchers[issuer.name], refresh, metrics
        )
        for issuer in settings.issuers
        for record in issuer.records
    }
    table = IssuerTable(record for issuer in settings.issuers for record in issuer.records)
    verifier = IssuerVerifier(
        table,
        lambda record: _keys_of(standings[record.key]),
        max_keys=settings.jws_max_keys,
        max_size=settings.max_token_size,
    )
    introspection = None
    for issuer in settings.issuers:
        if issuer.introspection is not None:
            # Imported here: few issuers are asked about tokens.
            from authmw.build.introspection import make_introspection

            introspection = make_introspection(
                settings,
                issuer,
                issuer.introspection,
                fetchers[issuer.name],
                refresher,
                metrics=metrics,
                clock=clock,
            )
    streaks = {
        record.key: RefusalStreak(
            f"tokens of issuer {record.name}",
            describe_issuer_fixes(issuer.section),
            fetchers[issuer.name].server_clock.find_difference,
        )
        for issuer in settings.issuers
        for record in issuer.records
    }
    return IssuerParts(table, verifier, standings, introspection, streaks)


def make_issuers_validator(
    settings: Settings, parts: IssuerParts, keystone: Validator | None, metrics: FilterMetrics
) -> IssuersValidator:
    """Return what validates tokens of all issuers.

    Args:
        settings: of the filter.
        parts: of `make_issuer_parts`.
        keystone: validates Keystone's tokens; None: none are accepted.
    """
    bearers = MemoryCache[Bearer](
        max_entries=settings.memory_cache_size, max_bytes=settings.memory_cache_bytes
    )
    watch_memory(metrics, bearers, "bearer")
    return IssuersValidator(
        parts.table,
        parts.verifier,
        parts.standings,
        parts.streaks,
        keystone=keystone,
        keystone_issuer=settings.jws_issuer,
        introspection=None if parts.introspection is None else parts.introspection.validator,
        bearers=bearers,
        validations=metrics.validations,
    )


def make_document_fetcher(settings: Settings, issuer: IssuerSettings) -> DocumentFetcher:
    """Return what reads an issuer's documents.

    Raises:
        ConfigurationError: a file that an option names can't be used.
    """
    return DocumentFetcher(
        connect_to(issuer, settings),
        section=issuer.section,
        bearer_token_file=issuer.connection.bearer_token_file,
    )


def _keys_of(standing: IssuerStanding) -> KeySource:
    assert standing.keys is not None  # noqa: S101 - of an issuer that signs its tokens
    return standing.keys


def _make_standing(
    settings: Settings,
    issuer: IssuerSettings,
    record: Issuer,
    fetch: DocumentFetcher,
    refresh: LazyRefresh,
    metrics: FilterMetrics,
) -> IssuerStanding:
    if record.profile.is_introspected:
        return IssuerStanding()
    keys = keep_fresh(
        make_key_reader(issuer, record, fetch),
        settings,
        record.profile.algorithms,
        metrics,
        issuer=record.name,
    )
    revoked = None
    if record.revocation_list_uri is not None and settings.revocation_poll_interval > 0:
        revoked = RevokedIds(
            record.revocation_list_uri,
            fetch,
            refresh,
            interval_seconds=settings.revocation_poll_interval,
            max_staleness_seconds=settings.revocation_max_staleness,
            failures=metrics.refresh_failures.count("revocation_list", record.name),
        )
    return IssuerStanding(KeysOnDemand(keys, refresh), revoked)


def make_key_reader(issuer: IssuerSettings, record: Issuer, fetch: Fetch) -> KeyReader:
    """Return what reads the keys of one issuer."""
    if issuer.public_key_repository is not None:
        return KeyDirectory(issuer.public_key_repository)
    uri = issuer.jwks_uri or record.keys_uri
    if uri is not None:
        return JwksUri(uri, fetch)
    assert record.identifier is not None  # noqa: S101 - else the configuration was refused
    return DiscoveredKeys(DiscoveryReader(record.identifier, fetch), fetch)

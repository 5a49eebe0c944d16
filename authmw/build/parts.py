"""Puts the parts of a filter together."""

from __future__ import annotations

import functools
import logging
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from authmw.answers.negative_cache import NegativeCache
from authmw.authenticator import Authenticator
from authmw.build.cache import name_endpoint, open_shared_cache, watch_canary
from authmw.build.metrics import make_metrics, show_metrics
from authmw.build.outages import watch_for_outages
from authmw.build.remote import (
    make_bearers,
    make_remote_validator,
    renews_bearers,
    watch_memory,
)
from authmw.build.revocation import find_test_clock, make_revocations
from authmw.build.start import count_keys, find_in_surroundings
from authmw.cache.memory import MemoryCache
from authmw.checks.paths import PublicPaths
from authmw.checks.rules import Rules
from authmw.checks.service_roles import ONLY_KEYSTONE
from authmw.checks.token_bind import BindPolicy
from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings, log_findings
from authmw.config.reload import follow_reloads
from authmw.config.settings import Settings, Validation
from authmw.errors import Reason
from authmw.identity.call_meter import CallMeter
from authmw.identity.client import IdentityClient
from authmw.metrics import FilterMetrics, table
from authmw.resolver import Resolver
from authmw.revalidation import Revalidation
from authmw.revocation.revocations import Revocations
from authmw.runtime.clock import wall_clock
from authmw.runtime.flights import Flights
from authmw.runtime.refresh import Refresher
from authmw.token import Token
from authmw.validation.fixture_sources import switch_with_fixtures
from authmw.validation.validator import Validator
from authmw.wsgi.interfaces import MakeTokenAuth

if TYPE_CHECKING:
    from authmw.build.health import HealthCheck
    from authmw.build.issuers import IssuerParts
    from authmw.build.oauth import OAuthParts
    from authmw.bundle.in_force import BundleInForce
    from authmw.checks.freshness import Freshness
    from authmw.keys.source import KeySource
    from authmw.wsgi.cors import CorsPolicy
    from authmw.wsgi.protected_resource import ProtectedResource

_log = logging.getLogger(__name__)

# Followers wait a little longer than a leader may take, so that they share its result.
_FOLLOWER_PATIENCE_SECONDS = 2
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


@dataclass(eq=False, repr=False, slots=True, weakref_slot=True)
class FilterParts:
    """The parts of one configured filter; several apps may share them.

    Read `authenticator` anew for each request: `apply_settings` replaces it.

    Attributes:
        resource: what OAuth clients learn of the service; None: no issuer is configured.
        metrics: what the filter counts.
        make_health_checks: returns what finds out whether each part can do its work.
        make_nonce: returns the nonce that proofs must hold (RFC 9449 §9); None: they need none.
    """

    settings: Settings
    identity: IdentityClient
    authenticator: Authenticator
    refresher: Refresher
    metrics: FilterMetrics
    make_health_checks: Callable[[], tuple[HealthCheck, ...]] = tuple
    resource: ProtectedResource | None = None
    make_nonce: Callable[[], str] | None = None
    cors: CorsPolicy | None = field(init=False)

    def __post_init__(self) -> None:
        self.cors = read_cors(self.settings)
        _live.add(self)

    @property
    def tells_of_keystone(self) -> bool:
        """Whether a 401 has Keystone's challenge, beside those of OAuth."""
        settings = self.settings
        return (
            self.resource is None
            or settings.auth is not None
            or settings.has_key_source
            or settings.www_authenticate_uri is not None
        )

    def challenge(
        self, reason: Reason | None = None, *, may_ask: bool = True
    ) -> list[tuple[str, str]]:
        """Return the headers of a 401, which say where a client gets a token.

        Args:
            reason: why the token was refused; None: there was none.
            may_ask: whether the identity endpoint may be asked for the address.
        """
        challenges: list[str] = []
        resource = self.resource
        if resource is not None:
            # First: some clients of OAuth read no other challenge.
            challenges += resource.make_challenges(reason)
        if self.tells_of_keystone:
            uri = self.settings.www_authenticate_uri or self.identity.authenticate_uri(
                may_ask=may_ask and not self.refresher.is_paused
            )
            challenges.append(f'Keystone uri="{uri}"' if uri else "Keystone")
        headers = [("WWW-Authenticate", challenge) for challenge in challenges]
        return headers if self.make_nonce is None else [*headers, ("DPoP-Nonce", self.make_nonce())]

    def challenge_scope(self, missing_scope: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return the headers of a 403 for want of an OAuth scope (RFC 6750 §3.1)."""
        if self.resource is None:
            return []
        challenges = self.resource.make_challenges(missing_scope=missing_scope)
        return [("WWW-Authenticate", challenge) for challenge in challenges]

    def apply_settings(self, settings: Settings) -> None:
        """Apply reloaded settings from the next request on; only mutable options may differ."""
        self.settings = settings
        self.cors = read_cors(settings)
        # One assignment: each request is decided by the old rules or by the new ones.
        self.authenticator = self.authenticator.with_rules(read_rules(settings))

    @property
    def is_closed(self) -> bool:
        """Whether nothing is kept fresh any more."""
        return self not in _live

    def close(self) -> None:
        """Stop the background threads of a filter that serves no more requests."""
        self.refresher.close()
        _live.discard(self)
        if self.metrics.is_on:
            from authmw.metrics import REGISTRY

            REGISTRY.retire(self.metrics)

    def find_troubles(self, now: float) -> list[str]:
        """Return why the filter can't do its work, without I/O; see `authmw.health`.

        Args:
            now: epoch seconds.
        """
        # Else a service that gets no request before it is ready would never be.
        self.refresher.start()
        found = ((check.part, check.find_trouble(now)) for check in self.make_health_checks())
        return [f"{part}: {trouble}" for part, trouble in found if trouble is not None]

    def stats(self) -> dict[str, float]:
        """Return the filter's metrics by series; see `authmw.metrics.stats`."""
        # Imported here: few services ask.
        from authmw.metrics.registry import render

        return render(self.metrics.read())


# The filters of this process that are not closed.
_live: weakref.WeakSet[FilterParts] = weakref.WeakSet()


def find_live_parts() -> list[FilterParts]:
    """Return the parts of every filter of this process that is not closed."""
    return list(_live)


def build_filter_parts(
    conf: Mapping[str, Any], *, clock: Callable[[], float] = wall_clock
) -> FilterParts:
    """Build a filter from the options of paste or a service; nothing is sent yet.

    The log says what is doubtful, and what the filter will do.

    Args:
        conf: options by name; see `AuthMiddleware`.
        clock: returns epoch seconds; tests pass their own. The machine's gives way to that of a
            test cloud whose identity service the options name.

    Raises:
        ConfigurationError: an option is wrong.
    """
    settings = load_settings(conf)
    keys = count_keys(settings)
    log_findings(find_in_surroundings(settings, keys))
    parts = assemble_filter(settings, clock=clock)
    follow_reloads(parts, conf)
    if _log.isEnabledFor(logging.INFO):
        # Imported here: a log without the line does not need it.
        from authmw.build.description import describe_filter

        _log.info("%s", describe_filter(settings, keys))
    return parts


def assemble_filter(settings: Settings, *, clock: Callable[[], float] = wall_clock) -> FilterParts:
    """Put a filter together; see `build_filter_parts`."""
    if clock is wall_clock:
        clock = find_test_clock(settings) or wall_clock
    _verify_tls_files(settings)
    # Made here to find wrong options; each process makes its own later.
    load_auth_plugin(settings.auth)
    metrics = make_metrics(settings)
    identity = IdentityClient(
        settings,
        functools.partial(load_auth_plugin, settings.auth) if settings.auth is not None else None,
        clock=clock,
        meter=CallMeter(metrics.identity_calls, metrics.identity_call_seconds),
    )
    if settings.auth is not None:
        metrics.watch(table.BREAKER, lambda: identity.breaker_state.value, "")
    refresher = Refresher(clock=clock)
    watch_for_outages(identity, refresher)
    bundle = _make_bundle(settings, refresher, metrics)
    revocations = make_revocations(settings, identity, refresher, metrics, bundle)
    keys = _make_keys(settings, refresher, metrics)
    validator = _make_validator(settings, identity, revocations, keys, bundle, refresher, metrics)
    revalidation = Revalidation(revocations, keys, bundle=bundle)
    issuers: IssuerParts | None = None
    if settings.issuers:
        # Imported here: without issuers nothing of theirs is loaded.
        from authmw.build.issuers import make_issuer_parts, make_issuers_validator

        issuers = make_issuer_parts(settings, refresher, metrics=metrics, clock=clock)
        accepts_keystone = settings.auth is not None or keys is not None
        validator = make_issuers_validator(
            settings, issuers, validator if accepts_keystone else None, metrics
        )
        revalidation = Revalidation(revocations, keys, issuers.standings, bundle)
    memory = MemoryCache[Token](
        max_entries=settings.memory_cache_size if settings.token_cache_time else 0,
        max_bytes=settings.memory_cache_bytes,
    )
    refresher.when_set_back(memory.clear)
    watch_memory(metrics, memory, "token")
    counting = metrics if metrics.is_on else None
    resolver = Resolver(
        memory=memory,
        flights=Flights[Token](
            settings.identity_deadline + _FOLLOWER_PATIENCE_SECONDS,
            joined=metrics.flights_joined.count("token"),
        ),
        validator=validator,
        revalidation=revalidation,
        refusals=NegativeCache(settings.negative_cache_time),
        max_token_size=settings.max_token_size,
        metrics=counting,
        clock=clock,
    )
    switch_with_fixtures(resolver, refresher, include_catalog=settings.include_service_catalog)
    oauth = _make_oauth_parts(settings, clock)
    authenticator = Authenticator(
        resolver,
        read_rules(settings),
        refresher,
        make_token_auth(identity),
        proofs=None if oauth is None else oauth.proofs,
        resource=None if oauth is None else oauth.resource,
        freshness=_make_freshness(settings, bundle, metrics, clock),
        metrics=counting,
        clock=clock,
    )
    make_checks = functools.partial(
        _make_health_checks, settings, identity, revocations, keys, issuers, bundle
    )
    parts = FilterParts(settings, identity, authenticator, refresher, metrics, make_checks)
    show_metrics(parts)
    if oauth is not None:
        parts.resource, parts.make_nonce = oauth.resource, oauth.make_nonce
    return parts


def _make_health_checks(
    settings: Settings,
    identity: IdentityClient,
    revocations: Revocations,
    keys: KeySource | None,
    issuers: IssuerParts | None,
    bundle: BundleInForce | None,
) -> tuple[HealthCheck, ...]:
    # Imported here: only a service that is asked for its health needs it.
    from authmw.build.health import make_health_checks

    return make_health_checks(settings, identity, revocations, keys, issuers, bundle)


def _make_oauth_parts(settings: Settings, clock: Callable[[], float]) -> OAuthParts | None:
    if not settings.issuers:
        return None
    # Imported here: without issuers nothing of theirs is loaded.
    from authmw.build.oauth import make_oauth_parts

    return make_oauth_parts(settings, clock)


def _verify_tls_files(settings: Settings) -> None:
    if settings.cafile is None and settings.certfile is None:
        return
    # Imported here: without these options nothing reads PEM files at start.
    from authmw.config.tls_files import verify_tls_files

    verify_tls_files(settings)


def _make_keys(
    settings: Settings, refresher: Refresher, metrics: FilterMetrics
) -> KeySource | None:
    if not settings.has_key_source or settings.token_validation is Validation.REMOTE:
        return None
    # Imported here: remote validation does not need the libraries that verify signatures.
    from authmw.build.offline import make_key_source

    keys = make_key_source(settings, metrics)
    refresher.add(keys)
    return keys


def _make_bundle(
    settings: Settings, refresher: Refresher, metrics: FilterMetrics
) -> BundleInForce | None:
    if not settings.uses_bundle or settings.bundle_path is None:
        return None
    # Imported here: without a bundle nothing of it is loaded.
    from authmw.build.bundle import make_bundle

    bundle = make_bundle(settings, settings.bundle_path, metrics)
    refresher.add(bundle)
    return bundle


def _make_freshness(
    settings: Settings,
    bundle: BundleInForce | None,
    metrics: FilterMetrics,
    clock: Callable[[], float],
) -> Freshness | None:
    if bundle is None:
        return None
    # Imported here: without a bundle nothing of it is loaded.
    from authmw.build.bundle import make_freshness

    return make_freshness(settings, bundle, metrics, clock)


def _make_validator(
    settings: Settings,
    identity: IdentityClient,
    revocations: Revocations,
    keys: KeySource | None,
    bundle: BundleInForce | None,
    refresher: Refresher,
    metrics: FilterMetrics,
) -> Validator:
    cache = open_shared_cache(settings, name_endpoint(settings), metrics)
    watch_canary(settings, refresher)
    bearers = make_bearers(settings, identity, cache, refresher, metrics)
    find_clock_difference = identity.server_clock.find_difference
    remote = make_remote_validator(
        settings, identity, cache, revocations, bearers, metrics, find_clock_difference
    )
    asks_about_bearers = renews_bearers(settings)
    validator: Validator = remote
    if keys is not None:
        from authmw.build.offline import make_offline

        asks_about_bearers = asks_about_bearers or "identity" in settings.jws_authority
        offline = make_offline(
            settings,
            keys,
            revocations,
            bearers,
            metrics,
            find_clock_difference,
            bundle,
        )
        if settings.shadow_validation:
            from authmw.validation.shadow import ShadowValidator

            validator = ShadowValidator(
                remote,
                offline,
                revocations,
                comparisons=metrics.shadow_comparisons,
                differences=metrics.shadow_differences,
            )
        else:
            from authmw.validation.choice import ChoiceValidator

            validator = ChoiceValidator(
                offline,
                remote if settings.auth is not None else None,
                offline_only=settings.token_validation is Validation.OFFLINE,
            )
    if asks_about_bearers:
        refresher.add(bearers)
    return validator


def read_rules(settings: Settings) -> Rules:
    """Return the options that decide on requests."""
    return Rules(
        delay_auth_decision=settings.delay_auth_decision,
        accept_bearer=settings.accept_bearer,
        allow_cors_preflight=settings.allow_cors_preflight,
        public_paths=PublicPaths.parse(settings.public_paths),
        service_type=settings.service_type,
        service_token_roles=frozenset(settings.service_token_roles),
        service_token_roles_required=settings.service_token_roles_required,
        bind_policy=BindPolicy.parse(settings.enforce_token_bind),
        log_refusals=_LEVELS[settings.log_refusals],
        keystones=ONLY_KEYSTONE.union(
            record.key
            for issuer in settings.issuers
            for record in issuer.records
            if record.profile.stands_for_keystone
        ),
    )


def read_cors(settings: Settings) -> CorsPolicy | None:
    """Return which origins may read our own answers in a browser; None: no option names any."""
    if not settings.cors_allowed_origins:
        return None
    # Imported here: few services answer browsers.
    from authmw.wsgi.cors import CorsPolicy

    has_nonces = bool(settings.issuers) and settings.dpop_nonce_secret is not None
    return CorsPolicy(frozenset(settings.cors_allowed_origins), has_nonces)


def make_token_auth(identity: IdentityClient) -> MakeTokenAuth:
    """Return the factory of `keystone.token_auth`, which sends our own token with the user's."""
    # Imported here: it imports keystoneauth1.
    from authmw.wsgi.token_auth import make_token_auth_factory

    return make_token_auth_factory(identity.fetch_own_token)

"""Introspection, put together: the client of one issuer, and the shared cache before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from authmw.answers.tokens import TokenLifetime
from authmw.build.cache import make_source, open_shared_cache
from authmw.build.outages import watch_for_outages
from authmw.config.issuer_settings import Introspection, IssuerSettings, connect_to
from authmw.config.settings import Settings
from authmw.errors import HIDDEN, ConfigurationError
from authmw.identity.call_meter import CallMeter
from authmw.identity.discovery import DiscoveryReader
from authmw.identity.documents import DocumentFetcher
from authmw.identity.introspection import IntrospectionClient
from authmw.issuers.client_authentication import OAuthClient, find_client_fault, make_signer
from authmw.issuers.record import Issuer
from authmw.metrics import table
from authmw.metrics.filter_metrics import FilterMetrics
from authmw.revocation.revocations import NoRevocations
from authmw.runtime.refresh import Refresher
from authmw.validation.introspection import IntrospectionValidator
from authmw.validation.measured import MeasuredValidator
from authmw.validation.remote import RemoteValidator
from authmw.validation.validator import Validator

# How long a token lasts whose end the issuer does not name (RFC 7662 §2.2: `exp` is optional). The
# issuer is asked again every token_cache_time; were this shorter than the grace, an outage would
# end the token.
_UNNAMED_LIFETIME_SECONDS = 86_400


class Introspecting(NamedTuple):
    """What asks one issuer about opaque tokens.

    Attributes:
        client: whose circuit breaker tells whether the issuer answers.
        validator: validates its tokens.
    """

    client: IntrospectionClient
    validator: Validator


def make_introspection(
    settings: Settings,
    issuer: IssuerSettings,
    introspection: Introspection,
    fetch: DocumentFetcher,
    refresher: Refresher,
    *,
    metrics: FilterMetrics,
    clock: Callable[[], float],
) -> Introspecting:
    """Return what asks an issuer about opaque tokens, and its client; nothing is sent yet.

    Answers are remembered for `token_cache_time`, in memory and in the shared cache, and used for
    `identity_outage_grace` more while the issuer can't be asked.

    Args:
        settings: of the filter.
        issuer: whose tokens are opaque.
        introspection: how it is asked.
        fetch: GETs its discovery document.
        refresher: gets the thread that probes it in an outage.
        metrics: counts and times validations and calls.
        clock: epoch seconds.

    Raises:
        ConfigurationError: an option is wrong or missing, or a file can't be read.
    """
    (record,) = issuer.records
    client = make_introspection_client(
        settings,
        issuer,
        introspection,
        fetch,
        clock=clock,
        meter=CallMeter(metrics.identity_calls, metrics.identity_call_seconds, record.name),
    )
    metrics.watch(table.BREAKER, lambda: client.breaker_state.value, record.name)
    watch_for_outages(client, refresher)
    remembers = settings.token_cache_time > 0
    source = make_source(
        settings,
        client,
        open_shared_cache(settings, _name_answers(record, introspection), metrics)
        if remembers
        else None,
        remember_seconds=settings.token_cache_time + settings.identity_outage_grace,
        metrics=metrics,
    )
    lifetime = TokenLifetime(
        settings.token_cache_time,
        settings.identity_outage_grace,
        expired_seconds=settings.token_cache_time,
    )
    validator = IntrospectionValidator(
        RemoteValidator(source, lifetime, NoRevocations()), record.key
    )
    measured = MeasuredValidator(validator, metrics.validations, "introspection", record.name)
    return Introspecting(client, measured)


def make_introspection_client(
    settings: Settings,
    issuer: IssuerSettings,
    introspection: Introspection,
    fetch: DocumentFetcher,
    *,
    clock: Callable[[], float],
    meter: CallMeter | None = None,
) -> IntrospectionClient:
    """Return the client that asks an issuer; arguments and errors are `make_introspection`'s."""
    (record,) = issuer.records
    transport = connect_to(issuer, settings)
    if introspection.auth_method == "tls_client_auth" and transport.certfile is None:
        raise ConfigurationError(
            "certfile", None, "tls_client_auth needs a certificate.", section=issuer.section
        )
    return IntrospectionClient(
        transport,
        record,
        endpoint=introspection.endpoint,
        discovery=None if record.identifier is None else DiscoveryReader(record.identifier, fetch),
        client=make_oauth_client(introspection, record, issuer.section),
        lifetime_seconds=_UNNAMED_LIFETIME_SECONDS
        + settings.token_cache_time
        + settings.identity_outage_grace,
        clock=clock,
        meter=meter,
    )


def make_oauth_client(introspection: Introspection, record: Issuer, section: str) -> OAuthClient:
    """Return what the issuer knows this service by; raises ConfigurationError."""
    sign = None
    path = introspection.jwt_key_file
    if introspection.auth_method == "private_key_jwt" and path and introspection.jwt_algorithm:
        try:
            sign = make_signer(Path(path).read_bytes(), introspection.jwt_algorithm)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigurationError(
                "jwt_key_file",
                path,
                f"write a PEM file with a private key that signs {introspection.jwt_algorithm}: "
                f"{reason}.",
                section=section,
            ) from error
    client = OAuthClient(
        client_id=introspection.client_id or "",
        method=introspection.auth_method,
        secret=introspection.client_secret,
        sign=sign,
        algorithm=introspection.jwt_algorithm,
        kid=introspection.jwt_key_id,
        audience=introspection.assertion_audience or record.identifier,
        assertion_seconds=introspection.assertion_lifetime,
        encodes_basic=record.profile.encodes_basic,
    )
    fault = find_client_fault(client)
    if fault is not None:
        option, fix = fault
        if option == "audience":
            option = "assertion_audience"
        if option == "jwt_key_file" and path:
            option, fix = "jwt_algorithm", "write what it signs: ES256, RS256 or PS256."
        values = {
            "auth_method": introspection.auth_method,
            "client_id": introspection.client_id,
            "client_secret": HIDDEN if introspection.client_secret else None,
            "jwt_algorithm": introspection.jwt_algorithm,
        }
        raise ConfigurationError(option, values.get(option), f"{fix.rstrip('.')}.", section=section)
    return client


def _name_answers(record: Issuer, introspection: Introspection) -> str:
    """Return what tells the answers of this issuer, as this service reads them, from others.

    Services that ask for other audiences or read other claims must not share what they remember.
    """
    expires_at = record.profile.expires_at
    named = [
        record.key,
        # Another deployment may call another issuer by the same name.
        record.identifier,
        introspection.endpoint,
        introspection.client_id,
        sorted(record.audiences),
        [(path.text, sorted(values)) for path, values in record.pinned],
        repr(record.profile.mapping),
        None if expires_at is None else expires_at.text,
    ]
    digest = hashlib.sha256(json.dumps(named).encode()).hexdigest()
    return f"introspection {digest}"

"""The checks of `authmw.health`: whether each part of a filter can do its work now."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from authmw.config.settings import Settings
from authmw.errors import IdentityUnavailable
from authmw.identity.breaker import State
from authmw.revocation.revocations import Revocations

if TYPE_CHECKING:
    from authmw.build.issuers import IssuerParts
    from authmw.bundle.in_force import BundleInForce
    from authmw.keys.source import KeySource


class HealthCheck(NamedTuple):
    """A check of one part.

    Attributes:
        part: what is checked.
        find_trouble: given epoch seconds, returns why the part can't do its work, without I/O;
            None: it can, or was not needed yet.
    """

    part: str
    find_trouble: Callable[[float], str | None]


class _Client(Protocol):
    @property
    def breaker_state(self) -> State: ...


def make_health_checks(
    settings: Settings,
    identity: _Client,
    revocations: Revocations,
    keys: KeySource | None,
    issuers: IssuerParts | None,
    bundle: BundleInForce | None = None,
) -> tuple[HealthCheck, ...]:
    """Return the checks that a filter needs.

    Args:
        settings: of the filter.
        identity: the client of the identity service.
        revocations: which of Keystone's tokens were revoked.
        keys: that verify Keystone's tokens; None: nothing does.
        issuers: the others; None: none is configured.
        bundle: that names and roles are from; None: there is none.
    """
    checks = []
    # With shadow validation the keys decide nothing.
    if keys is not None and settings.validates_offline:
        checks.append(HealthCheck("keys", functools.partial(_find_lack_of_keys, keys)))
        checks.append(
            HealthCheck("revocation", functools.partial(_find_lack_of_events, revocations))
        )
    # Where Keystone is asked about what a bundle does not say, its answer is what counts.
    if bundle is not None and "identity" not in settings.jws_authority:
        checks.append(HealthCheck("bundle", functools.partial(_find_lack_of_facts, bundle)))
    if settings.auth is not None:
        checks.append(HealthCheck("identity", functools.partial(_find_outage, identity)))
    if issuers is not None:
        checks += _make_issuer_checks(issuers)
    return tuple(checks)


def _make_issuer_checks(issuers: IssuerParts) -> list[HealthCheck]:
    checks = []
    for record in issuers.table:
        standing = issuers.standings[record.key]
        checks.append(HealthCheck(f"issuer {record.name}", standing.find_trouble))
        if record.profile.is_introspected and issuers.introspection is not None:
            find_outage = functools.partial(_find_outage, issuers.introspection.client)
            checks.append(HealthCheck(f"issuer {record.name}", find_outage))
    return checks


def _find_lack_of_keys(keys: KeySource, now: float) -> str | None:
    try:
        return keys.current(now).missing
    except IdentityUnavailable as error:
        return error.detail


def _find_lack_of_facts(bundle: BundleInForce, now: float) -> str | None:
    try:
        bundle.current(now)
    except IdentityUnavailable as error:
        return error.detail
    return None


def _find_lack_of_events(revocations: Revocations, now: float) -> str | None:
    try:
        # As of a token that is issued now: those of any other need more events.
        revocations.verify_events_complete(int(now), now)
    except IdentityUnavailable as error:
        return error.detail
    return None


def _find_outage(client: _Client, _now: float) -> str | None:
    if client.breaker_state is State.OPEN:
        return "it does not answer; the log has the cause"
    return None

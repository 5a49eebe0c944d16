"""What a filter with issuers needs beside their keys: proofs of possession, and its metadata."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from authmw.build.cache import make_namespaces
from authmw.cache.replays import MemoryReplays, Replays, SharedReplays
from authmw.checks.dpop import Nonces, ProofRules, PublicEndpoint
from authmw.config.settings import Settings
from authmw.jose.algorithms import ALGORITHMS
from authmw.validation.proofs import ProofVerifier
from authmw.wsgi.protected_resource import ProtectedResource, verify_identifier


@dataclass(frozen=True, slots=True)
class OAuthParts:
    """The parts of a filter that knows OAuth clients.

    Attributes:
        make_nonce: as of `authmw.build.parts.FilterParts`.
    """

    resource: ProtectedResource
    proofs: ProofVerifier
    make_nonce: Callable[[], str] | None


def make_oauth_parts(settings: Settings, clock: Callable[[], float]) -> OAuthParts:
    """Return the parts that the options say; nothing is sent to anyone."""
    identifier = settings.oauth_resource or derive_resource(settings)
    endpoint = _find_endpoint(settings, identifier)
    resource = ProtectedResource(
        identifier=identifier,
        authorization_servers=tuple(
            dict.fromkeys(
                record.identifier
                for issuer in settings.issuers
                for record in issuer.records
                if record.identifier is not None and record.profile.is_authorization_server
            )
        ),
        dpop_algorithms=() if endpoint is None else tuple(ALGORITHMS),
        scopes=settings.oauth_scopes,
    )
    nonces = None if settings.dpop_nonce_secret is None else Nonces(settings.dpop_nonce_secret)
    rules = ProofRules(
        settings.dpop_proof_lifetime,
        settings.clock_skew_tolerance,
        None if nonces is None else nonces.verify,
    )
    return OAuthParts(
        resource,
        ProofVerifier(endpoint, rules, _make_replays(settings, rules)),
        None if nonces is None else functools.partial(_make_nonce, nonces, clock),
    )


def derive_resource(settings: Settings) -> str | None:
    """Return the audience that all issuers have in common, where it can be a resource identifier.

    Clients name the resource when they ask for a token (RFC 8707 §2), and get a token with that
    audience (RFC 9068 §3).
    """
    audiences = {
        audience
        for issuer in settings.issuers
        for record in issuer.records
        for audience in record.audiences
    }
    if len(audiences) != 1:
        return None
    (audience,) = audiences
    try:
        verify_identifier(audience)
    except ValueError:
        return None
    return audience


def _find_endpoint(settings: Settings, identifier: str | None) -> PublicEndpoint | None:
    if settings.public_endpoint is not None:
        return PublicEndpoint.parse(settings.public_endpoint)
    if identifier is None:
        return None
    # The path of a resource is one that the app serves, so it is in PATH_INFO already.
    return PublicEndpoint.parse(urlsplit(identifier)._replace(path="", query="").geturl())


def _make_replays(settings: Settings, rules: ProofRules) -> Replays:
    window = rules.lifetime_seconds + 2 * rules.skew_seconds
    memory = MemoryReplays(window)
    if not settings.memcached_servers:
        return memory
    # Imported here, as a filter without memcached needs none of it.
    from authmw.cache.memcached import open_memcached

    keys = make_namespaces(settings, "DPoP")[0].keys
    return SharedReplays(memory, open_memcached(settings), keys, math.ceil(window) + 1)


def _make_nonce(nonces: Nonces, clock: Callable[[], float]) -> str:
    return nonces.make(clock())

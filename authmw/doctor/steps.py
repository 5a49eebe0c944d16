"""Runs one token through a real filter, and tells each step, what it decided and how long it took.

The filter is the one that a service gets, with nothing added: its functions are watched from
outside, as a profiler watches them. `STEPS` names them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from wsgiref.util import setup_testing_defaults

from authmw.authority.claims import ClaimsAuthority
from authmw.build import build_filter_parts
from authmw.bundle.authority import BundleAuthority
from authmw.cache.shared import SharedCache
from authmw.checks.access_rules import verify_access
from authmw.checks.expiry import verify_not_expired
from authmw.checks.token_bind import verify_binding
from authmw.checks.token_string import verify_token_string
from authmw.doctor.watch import Step, Watch
from authmw.errors import AuthmwError
from authmw.identity.client import IdentityClient
from authmw.identity.introspection import IntrospectionClient
from authmw.jose.verifier import JwsVerifier
from authmw.rejection import Rejection
from authmw.resolver import Resolver
from authmw.revalidation import Revalidation
from authmw.runtime.refresh import Refresher
from authmw.token import Token, headers
from authmw.validation.issuers import IssuersValidator
from authmw.validation.offline import OfflineValidator
from authmw.validation.proofs import ProofVerifier
from authmw.validation.remote import RemoteValidator

# In no order: a step is told when it ends, steps inside another one before it.
STEPS: Mapping[Callable[..., Any], str] = {
    Refresher.catch_up: "keys and revocation events are read",
    verify_token_string: "the token string",
    SharedCache.look_up: "memcached",
    SharedCache.put: "memcached stores",
    IdentityClient.fetch_token: "the identity service",
    IntrospectionClient.fetch_token_response: "the issuer's introspection",
    JwsVerifier.verify: "signature and claims",
    ClaimsAuthority.look_up: "the token's own names and roles",
    BundleAuthority.look_up: "the bundle",
    OfflineValidator.validate: "offline validation",
    RemoteValidator.validate: "remote validation",
    IssuersValidator.validate: "the issuer",
    Revalidation.verify: "revocation",
    verify_not_expired: "expiry",
    verify_access: "access rules",
    verify_binding: "token binding",
    ProofVerifier.verify: "proof of possession",
    Resolver.resolve: "validation",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One request through the filter.

    Attributes:
        steps: in the order in which they began.
        status: 200 if the service would see an identity; else 401 or 503.
        token: what the service would get; None without one.
        milliseconds: in all, of the request alone.
    """

    steps: tuple[Step, ...]
    status: int
    token: Token | None
    milliseconds: float

    @property
    def error(self) -> AuthmwError | None:
        """Why the token was refused or could not be validated; None: it was accepted."""
        if self.status == 200:
            return None
        errors = [step.error for step in self.steps if isinstance(step.error, AuthmwError)]
        return errors[0] if errors else None


def run_filter(conf: Mapping[str, Any], token: str) -> Run:
    """Build a filter, and give it one request with this token.

    Args:
        conf: as of `authmw.filter_factory`.
        token: without surrounding white space; untrusted.

    Raises:
        ConfigurationError: an option is wrong.
    """
    # A service that decides itself would get the request in any case.
    parts = build_filter_parts({**conf, "delay_auth_decision": False})
    environ: dict[str, Any] = {"HTTP_X_AUTH_TOKEN": token}
    setup_testing_defaults(environ)
    watch = Watch(STEPS)
    began = time.perf_counter()
    try:
        rejection: Rejection | None = watch.run(lambda: parts.authenticator.authenticate(environ))
    finally:
        parts.close()
    took = (time.perf_counter() - began) * 1000
    return Run(
        tuple(watch.steps()),
        200 if rejection is None else rejection.status,
        environ.get(headers.TOKEN),
        took,
    )

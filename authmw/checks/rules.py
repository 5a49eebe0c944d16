"""The options that decide on requests, parsed."""

from __future__ import annotations

from dataclasses import dataclass

from authmw.checks.paths import PublicPaths
from authmw.checks.service_roles import ONLY_KEYSTONE
from authmw.checks.token_bind import BindPolicy


@dataclass(frozen=True, slots=True)
class Rules:
    """The options that decide on requests; the fields are named as the options.

    Attributes:
        public_paths: requests that need no token.
        bind_policy: enforce_token_bind, parsed.
        log_refusals: a level of `logging`.
        keystones: of whose issuers (`Token.issuer`) service tokens speak for everybody's tokens.
    """

    delay_auth_decision: bool
    accept_bearer: bool
    allow_cors_preflight: bool
    public_paths: PublicPaths
    service_type: str | None
    service_token_roles: frozenset[str]
    service_token_roles_required: bool
    bind_policy: BindPolicy
    log_refusals: int = 20  # logging.INFO
    keystones: frozenset[str | None] = ONLY_KEYSTONE

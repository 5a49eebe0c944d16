"""The parsed configuration of one filter: a typed field for every option.

No code that gets `Settings` reads oslo.config or a paste mapping. `authmw.config.options` says
what an option does; the fields state its type and unit. None means that an option is unset.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from authmw.config.auth_plugin import AuthOptions

if TYPE_CHECKING:  # few configurations have issuers
    from authmw.config.issuer_settings import IssuerSettings

DEFAULT_CONNECT_TIMEOUT_SECONDS = 5.0
DEFAULT_READ_TIMEOUT_SECONDS = 30.0

Interface = Literal["internal", "public", "admin"]
SecurityStrategy = Literal["MAC", "ENCRYPT"]
MetricsExport = Literal["none", "registry", "prometheus", "opentelemetry"]
AuthoritySource = Literal["claims", "bundle", "identity"]
RefusalLevel = Literal["debug", "info", "warning"]
Algorithm = Literal[
    "ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"
]

KEY_SOURCES = ("jws_public_key_repository", "jws_jwks_uri")
"""The options that name a source of public keys for signed tokens; None: no such source."""
_read_key_sources = operator.attrgetter(*KEY_SOURCES)


class Validation(enum.Enum):
    """Where tokens are validated."""

    AUTO = "auto"
    OFFLINE = "offline"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Settings:
    """Every option of `[keystone_authtoken]`, our credentials, the issuers and our User-Agent.

    Made by `authmw.config.loading.load_settings`; `dataclasses.replace` makes a changed copy.
    It has no repr of its own, which would show secrets.
    """

    # Our own credentials (auth_type, auth_section and the plugin's options); None: not configured.
    auth: AuthOptions | None
    # Sent to the identity service: `service/version authmw/version`.
    user_agent: str
    # Sections [authmw_issuer:NAME]: of whom tokens are accepted beside Keystone.
    issuers: tuple[IssuerSettings, ...] = ()

    # The identity service
    www_authenticate_uri: str | None
    auth_version: str | None
    interface: Interface
    region_name: str | None
    http_connect_timeout: int | None  # seconds; see connect_timeout and read_timeout
    http_request_max_retries: int
    identity_deadline: int  # seconds
    identity_outage_grace: int  # seconds; 0: none
    certfile: str | None
    keyfile: str | None
    cafile: str | None
    insecure: bool

    # Requests
    delay_auth_decision: bool
    include_service_catalog: bool
    enforce_token_bind: str
    service_token_roles: tuple[str, ...]
    service_token_roles_required: bool
    service_type: str | None
    log_refusals: RefusalLevel
    max_token_size: int  # bytes
    accept_bearer: bool
    public_paths: tuple[str, ...]
    allow_cors_preflight: bool
    cors_allowed_origins: tuple[str, ...]
    admin_project_name: str | None
    admin_project_domain_name: str | None

    # Caches
    token_cache_time: int  # seconds; 0: nothing is remembered (written as 0 or -1)
    negative_cache_time: int  # seconds; 0: refusals are not remembered
    memory_cache_size: int  # entries
    memory_cache_bytes: int  # bytes
    cache: str | None  # an environ key
    memcached_servers: tuple[str, ...]  # empty: none
    memcache_security_strategy: SecurityStrategy | None  # None: entries are not sealed
    memcache_secret_key: str | None
    memcache_secret_key_previous: str | None
    memcache_pool_dead_retry: int  # seconds
    memcache_pool_maxsize: int  # connections a server
    memcache_pool_socket_timeout: int  # seconds
    memcache_pool_unused_timeout: int  # seconds
    memcache_pool_conn_get_timeout: int  # seconds
    memcache_use_advanced_pool: bool
    memcache_sasl_enabled: bool
    memcache_username: str | None
    memcache_password: str | None
    memcache_tls_enabled: bool
    memcache_tls_cafile: str | None
    memcache_tls_certfile: str | None
    memcache_tls_keyfile: str | None
    memcache_tls_allowed_ciphers: str | None

    # Offline validation
    token_validation: Validation
    shadow_validation: bool
    jws_public_key_repository: str | None
    jws_jwks_uri: str | None
    jws_accepted_algorithms: tuple[Algorithm, ...]
    jws_max_keys: int
    jws_keys_max_age: int  # seconds
    jws_issuer: str | None
    jws_audience: str | None
    jws_authority: tuple[AuthoritySource, ...]
    bundle_path: str | None
    bundle_max_age: int  # seconds
    bundle_warn_age: int  # seconds
    bundle_service_max_age: int | None  # seconds; None: as bundle_max_age
    bundle_wait_time: int  # seconds; 0: nobody waits
    bundle_max_waiting: int  # requests
    jws_claim_names: Mapping[str, str]  # meaning to claim, where it is not the default
    authority_cache_time: int  # seconds
    authority_renewal_rate: int  # calls a second; 0: none
    clock_skew_tolerance: int  # seconds

    # Revocation
    revocation_poll_interval: int  # seconds; 0: events are not asked for
    revocation_max_staleness: int  # seconds
    revocation_retention: int  # seconds
    revocation_max_events: int

    # OAuth clients
    oauth_resource: str | None
    oauth_scopes: tuple[str, ...]
    public_endpoint: str | None
    dpop_proof_lifetime: int  # seconds
    dpop_nonce_secret: str | None

    # Metrics
    metrics: MetricsExport

    @property
    def connect_timeout(self) -> float:
        """Seconds to wait for a connection to the identity service."""
        if self.http_connect_timeout is None:
            return DEFAULT_CONNECT_TIMEOUT_SECONDS
        return float(self.http_connect_timeout)

    @property
    def read_timeout(self) -> float:
        """Seconds to wait for each piece of the identity service's response."""
        if self.http_connect_timeout is None:
            return DEFAULT_READ_TIMEOUT_SECONDS
        return float(self.http_connect_timeout)

    @property
    def has_key_source(self) -> bool:
        """Whether public keys for signed tokens are configured."""
        return any(_read_key_sources(self))

    @property
    def validates_offline(self) -> bool:
        """Whether signed tokens are validated offline, and not by the identity service."""
        return (
            self.has_key_source
            and self.token_validation is not Validation.REMOTE
            and not self.shadow_validation
        )

    @property
    def uses_bundle(self) -> bool:
        """Whether an authority bundle has names and roles of signed tokens."""
        return (
            "bundle" in self.jws_authority
            and self.has_key_source
            and (self.token_validation is not Validation.REMOTE)
        )

    @property
    def polls_revocation_lists(self) -> bool:
        """Whether an issuer publishes which of its tokens were revoked (profile = keystone-op)."""
        return any(issuer.records[0].revocation_list_uri is not None for issuer in self.issuers)

"""Every option of `[keystone_authtoken]`: name, default, bounds and what it does.

The names, defaults and meanings of keystonemiddleware's options are kept, so that a
service's configuration works unchanged; the rest are ours. `GROUPS` is the one table:
`authmw.config.loading` reads by it, the sample configuration is written from it, and
`authmw.config.settings.Settings` has one field for each entry.
"""

from __future__ import annotations

import copy

from oslo_config import cfg, types

from authmw.config.types import BoolOpt, DictOpt, IntOpt, ListOpt, StrOpt

GROUP = "keystone_authtoken"
DEFAULT_ALGORITHMS = ("ES256",)

IDENTITY_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "www_authenticate_uri",
        help="Where clients are told to get a token: the public, unversioned URI of the "
        "identity service, sent in the WWW-Authenticate header of a 401. Unset, the identity "
        "endpoint found by discovery is named, which clients may be unable to reach.",
    ),
    StrOpt(
        "auth_version",
        help="Version of the identity API to speak. Only v3 exists here; unset lets discovery "
        "choose it.",
    ),
    StrOpt(
        "interface",
        default="internal",
        help="Which of the identity service's endpoints in the catalog validates tokens: "
        "internal, public or admin.",
    ),
    StrOpt(
        "region_name",
        help="Region of the identity endpoint, where the catalog lists several. Unset takes the "
        "first.",
    ),
    IntOpt(
        "http_connect_timeout",
        unit="seconds",
        min=1,
        help="Seconds to wait for a connection to the identity service, and again for each piece "
        "of its answer. Unset means 5 to connect and 30 to read, so that a silent service never "
        "holds a worker for ever.",
    ),
    IntOpt(
        "http_request_max_retries",
        unit="retries",
        default=3,
        help="How often a connection that could not be made is tried again, with growing pauses, "
        "within identity_deadline. 0 tries once.",
    ),
    IntOpt(
        "identity_deadline",
        unit="seconds",
        min=1,
        default=10,
        help="Seconds one validation may take in total, retries and redirects included; after "
        "that the client gets 503. Below what load balancers usually wait (30 to 60 s), so the "
        "client learns the reason.",
    ),
    IntOpt(
        "identity_outage_grace",
        unit="seconds",
        default=300,
        help="Seconds for which a known token, or what is known of a signed token's bearer, stays "
        "usable while the identity service cannot answer, and only then; never past the token's "
        "expiry. Five minutes bridge a restart. 0 turns it off.",
    ),
    StrOpt(
        "certfile",
        help="PEM file with the certificate shown to the identity service (mutual TLS); it may "
        "hold the private key as well, which must not be encrypted.",
    ),
    StrOpt("keyfile", help="PEM file with the private key of certfile, where it is a file apart."),
    StrOpt(
        "cafile",
        help="PEM file with the certificate authorities trusted for the identity service, or a "
        "directory of them (`openssl rehash`); read at start as well. Unset uses the file that "
        "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names, else the system's (OpenSSL's default store), "
        "else those of the package certifi where the system has none.",
    ),
    BoolOpt(
        "insecure",
        default=False,
        help="When true, the identity service's certificate is NOT verified: whoever is on the "
        "path can read tokens and make up identities. For tests only.",
    ),
)

REQUEST_OPTIONS: tuple[cfg.Opt, ...] = (
    BoolOpt(
        "delay_auth_decision",
        mutable=True,
        default=False,
        help="When true, a request without a valid token reaches the service, marked "
        "X-Identity-Status: Invalid, and the service decides. When false it is answered with 401.",
    ),
    BoolOpt(
        "include_service_catalog",
        default=True,
        help="Whether the service gets X-Service-Catalog. When false, the catalog is not asked "
        "for, which makes validation and cache entries smaller.",
    ),
    StrOpt(
        "enforce_token_bind",
        mutable=True,
        default="permissive",
        help="What to do with tokens bound to a client: disabled ignores bindings; permissive "
        "checks those we know and ignores others; strict refuses unknown ones; required refuses "
        "tokens without one; any other word names the binding that must be there. Known are "
        "kerberos (AUTH_TYPE and REMOTE_USER) and x5t#S256, the certificate of a TLS client "
        "(SSL_CLIENT_CERT, which the server in front has to set).",
    ),
    ListOpt(
        "service_token_roles",
        mutable=True,
        default=["service"],
        help="Roles of which a service token needs one to be believed: it may then bring an "
        "expired user token and pass a user's access rules. Give them to services only.",
    ),
    BoolOpt(
        "service_token_roles_required",
        mutable=True,
        default=True,
        help="Whether a service token without a role of service_token_roles is refused. When "
        "false it is accepted, still without the rights that such a role gives.",
    ),
    StrOpt(
        "service_type",
        mutable=True,
        help="This service's type in the catalog (compute, image, ...), needed to accept "
        "application credentials with access rules; unset refuses them.",
    ),
    IntOpt(
        "max_token_size",
        unit="bytes",
        min=256,
        default=8000,
        help="Bytes above which a token is refused unread. Servers limit a header line to about "
        "8190 bytes, so longer ones do not arrive anyway.",
    ),
    BoolOpt(
        "accept_bearer",
        mutable=True,
        default=False,
        help="Whether a token is also taken from `Authorization: Bearer` when there is no "
        "X-Auth-Token. Off, since services may use that header for themselves.",
    ),
    ListOpt(
        "public_paths",
        mutable=True,
        default=[],
        help="Requests that need no token, as /healthcheck (GET and HEAD) or POST /v1/hooks/*; "
        "patterns as in access rules: * or {tag} within a segment, ** across segments. A token "
        "sent there is ignored.",
    ),
    BoolOpt(
        "allow_cors_preflight",
        mutable=True,
        default=False,
        help="Whether OPTIONS requests need no token, on any path. Browsers send none in a CORS "
        "preflight. Not for a service that takes the method from a header of the request.",
    ),
    ListOpt(
        "cors_allowed_origins",
        mutable=True,
        default=[],
        help="Origins (https://app.example.org) whose pages may read the 401, 403 and 503 that "
        "authmw itself answers, or * for all. The service's own answers and the preflight are "
        "the service's affair; credentials mode is never allowed, as tokens need none. Not needed "
        "behind a CORS filter, such as oslo.middleware's, that covers every answer.",
    ),
    StrOpt(
        "admin_project_name",
        help="Name of the project whose tokens are marked X-Is-Admin-Project: True when tokens "
        "are validated offline; set it as in the identity service's resource.admin_project_name.",
    ),
    StrOpt(
        "admin_project_domain_name",
        help="Name of the domain that admin_project_name is in. Both are set or neither.",
    ),
)

CACHE_OPTIONS: tuple[cfg.Opt, ...] = (
    IntOpt(
        "token_cache_time",
        unit="seconds",
        min=-1,
        default=300,
        help="Seconds a validated token is remembered, at most until it expires. It bounds how "
        "late a change that no revocation event tells of is noticed. -1 or 0 remembers nothing.",
    ),
    IntOpt(
        "negative_cache_time",
        unit="seconds",
        max=5,
        default=0,
        help="Seconds a refused token is remembered in memory, against floods of one bad token. "
        "Off by default; short, since a token may become valid.",
    ),
    IntOpt(
        "memory_cache_size",
        unit="entries",
        min=1,
        default=10000,
        help="Tokens one process remembers at most; the least used go first.",
    ),
    IntOpt(
        "memory_cache_bytes",
        unit="bytes",
        min=1024 * 1024,
        default=128 * 1024 * 1024,
        help="Bytes the tokens in one process's memory may take together (128 MiB). Catalogs "
        "make tokens large, so entries alone are no bound.",
    ),
    StrOpt(
        "cache",
        help="Key of the request environ that holds the service's own cache object "
        "(swift.cache). Used instead of memcached_servers in requests that carry it.",
    ),
    ListOpt(
        "memcached_servers",
        deprecated_name="memcache_servers",
        help="memcached servers (host:port, inet6:[address]:port or unix:path) in which processes "
        "share what the identity service answered. Unset, each process remembers on its own.",
    ),
    StrOpt(
        "memcache_security_strategy",
        default="None",
        choices=("None", "MAC", "ENCRYPT"),
        ignore_case=True,
        help="How shared cache entries are protected: MAC makes forged ones useless, ENCRYPT also "
        "hides their content, None means that whoever writes to memcached can be anyone.",
    ),
    StrOpt(
        "memcache_secret_key",
        secret=True,
        help="Secret from which the keys of MAC and ENCRYPT are derived, the same for all "
        "processes that share the cache; at least 32 random characters.",
    ),
    StrOpt(
        "memcache_secret_key_previous",
        secret=True,
        help="The secret in use before memcache_secret_key: entries under it can still be read "
        "while the new one is rolled out.",
    ),
    IntOpt(
        "memcache_pool_dead_retry",
        unit="seconds",
        default=300,
        help="Seconds a memcached server that failed is left alone before it is tried again.",
    ),
    IntOpt(
        "memcache_pool_maxsize",
        unit="connections",
        min=1,
        default=10,
        help="Connections one process keeps open to each memcached server at most.",
    ),
    IntOpt(
        "memcache_pool_socket_timeout",
        unit="seconds",
        min=1,
        default=3,
        help="Seconds to wait for a memcached server to connect or answer.",
    ),
    IntOpt(
        "memcache_pool_unused_timeout",
        unit="seconds",
        default=60,
        help="Seconds after which an unused connection to memcached is closed.",
    ),
    IntOpt(
        "memcache_pool_conn_get_timeout",
        unit="seconds",
        default=10,
        help="Seconds to wait for a free connection when all are in use; then the request goes on "
        "without the cache.",
    ),
    BoolOpt(
        "memcache_use_advanced_pool",
        default=True,
        help="Accepted for compatibility, without effect: connections are always pooled, safely "
        "for threads and greenlets.",
    ),
    BoolOpt(
        "memcache_sasl_enabled",
        default=False,
        help="Whether to log in to memcached with memcache_username and memcache_password.",
    ),
    StrOpt("memcache_username", help="User name for memcached, with memcache_sasl_enabled."),
    StrOpt(
        "memcache_password",
        secret=True,
        help="Password for memcached, with memcache_sasl_enabled.",
    ),
    BoolOpt(
        "memcache_tls_enabled",
        default=False,
        help="Whether to speak TLS with the memcached servers. The other memcache_tls options "
        "matter only then.",
    ),
    StrOpt(
        "memcache_tls_cafile",
        help="PEM file with the certificate authorities trusted for memcached, or a directory of "
        "them (`openssl rehash`). Unset uses the system's (OpenSSL's default store).",
    ),
    StrOpt(
        "memcache_tls_certfile",
        help="PEM file with the certificate shown to memcached; it may hold the key as well, "
        "which must not be encrypted.",
    ),
    StrOpt(
        "memcache_tls_keyfile",
        help="PEM file with the private key of memcache_tls_certfile, where it is a file apart.",
    ),
    StrOpt(
        "memcache_tls_allowed_ciphers",
        help="Ciphers allowed for memcached, in OpenSSL's notation. Unset allows OpenSSL's own "
        "choice.",
    ),
)

OFFLINE_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "token_validation",
        default="auto",
        choices=("auto", "offline", "remote"),
        help="Where tokens are validated. remote asks the identity service; offline verifies "
        "their signature here and refuses others; auto does that for signed tokens once a source "
        "of public keys is set, and asks about all others.",
    ),
    BoolOpt(
        "shadow_validation",
        default=False,
        help="When true, the identity service decides, and signed tokens are verified offline as "
        "well: every difference is logged. A rehearsal for offline validation.",
    ),
    StrOpt(
        "jws_public_key_repository",
        help="Directory with the public keys of signed tokens, as PEM, JWK or JWK set files "
        "named .pem, .pub, .key, .crt, .cer, .jwk, .jwks, .json or without an ending. Neither it "
        "nor a directory above it may be writable by everyone. Changes are noticed within "
        "seconds; a removed file is a revoked key.",
    ),
    StrOpt(
        "jws_jwks_uri",
        help="https URI of a JWK set with public keys of signed tokens; may be combined with "
        "jws_public_key_repository.",
    ),
    ListOpt(
        "jws_accepted_algorithms",
        default=list(DEFAULT_ALGORITHMS),
        item_type=types.String(choices=("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256")),
        help="Signature algorithms accepted. ES256 is what Keystone signs with; Ed25519 is another "
        "name of EdDSA (RFC 9864).",
    ),
    IntOpt(
        "jws_max_keys",
        unit="keys",
        min=1,
        default=8,
        help="Keys tried for one token at most; bounds the work a made-up token causes. Rotation "
        "needs two or three at a time.",
    ),
    IntOpt(
        "jws_keys_max_age",
        unit="seconds",
        min=1,
        default=86400,
        help="Seconds for which keys stay in use while their directory or URI cannot be read; "
        "then signed tokens get 503. A day leaves time to repair it.",
    ),
    StrOpt(
        "jws_issuer",
        help="The `iss` that signed tokens must carry. Unset accepts any; Keystone writes none.",
    ),
    StrOpt(
        "jws_audience",
        help="The audience this service is: a signed token with an `aud` that does not name it is "
        "refused (RFC 7519 section 4.1.3), and unset any `aud` is.",
    ),
    ListOpt(
        "jws_authority",
        default=["identity"],
        item_type=types.String(choices=("claims", "identity")),
        help="Where names and roles of a signed token come from, in the order asked: claims "
        "are those of the token itself, identity asks the identity service, once per user and "
        "scope, not per token.",
    ),
    DictOpt(
        "jws_claim_names",
        default={},
        help="Names of the claims read with jws_authority = claims, where an issuer uses others, "
        "as roles:groups,user_name:preferred_username. What is not named here keeps the name "
        "openstack_ with its meaning: openstack_roles, openstack_user_name, ...",
    ),
    IntOpt(
        "authority_cache_time",
        unit="seconds",
        min=1,
        default=60,
        help="Seconds an answer of the identity service about the bearer of tokens is fresh: "
        "within that time a removed role, a disabled project or a deleted application credential "
        "is noticed. One call renews it for all tokens of a user with one scope.",
    ),
    IntOpt(
        "authority_renewal_rate",
        unit="calls a second",
        default=10,
        help="Calls a second at most by which a process renews what it knows of the bearers of "
        "tokens that are not signed. Where more are in use, and with 0, roles are as old as "
        "token_cache_time allows.",
    ),
    IntOpt(
        "clock_skew_tolerance",
        unit="seconds",
        max=300,
        default=5,
        help="Seconds by which a signed token's issue time may lie in the future. Never extends "
        "its expiry.",
    ),
)

REVOCATION_OPTIONS: tuple[cfg.Opt, ...] = (
    IntOpt(
        "revocation_poll_interval",
        unit="seconds",
        default=10,
        help="Seconds between two questions for revocation events, thus how late a revoked token "
        "is refused. 0 asks never: allowed with token_validation = remote, or = offline, where "
        "revoked tokens then stay good until they expire.",
    ),
    IntOpt(
        "revocation_max_staleness",
        unit="seconds",
        min=1,
        default=600,
        help="Seconds without revocation events after which offline validation answers 503 "
        "instead of trusting tokens.",
    ),
    IntOpt(
        "revocation_retention",
        unit="seconds",
        min=1,
        default=180000,
        help="Seconds an event is kept: 48 hours in which services may still use expired tokens, "
        "and two more for the tokens' own life. A signed token issued before an event that was "
        "dropped gets 503, so write no less than the longest life of a token.",
    ),
    IntOpt(
        "revocation_max_events",
        unit="events",
        min=1,
        default=100000,
        help="Events kept at most; with more, the oldest are dropped, and signed tokens issued "
        "before one of those get 503.",
    ),
)

GROUPS: tuple[tuple[str, tuple[cfg.Opt, ...]], ...] = (
    ("The identity service", IDENTITY_OPTIONS),
    ("Requests", REQUEST_OPTIONS),
    ("Caches", CACHE_OPTIONS),
    ("Offline validation", OFFLINE_OPTIONS),
    ("Revocation", REVOCATION_OPTIONS),
)

OPTIONS: tuple[cfg.Opt, ...] = tuple(option for _, options in GROUPS for option in options)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return (group, options) pairs for oslo-config-generator, and for services that register
    them; entry point `oslo.config.opts`. The options are copies, the caller's to change.

    `auth_type` and `auth_section` come from keystoneauth1, which compares them when a service
    registers them as well; the options of the auth plugin itself depend on `auth_type`.
    """
    # Imports requests and much else, which nobody needs for the table alone.
    from authmw.runtime.libraries import loading

    return [(GROUP, [*copy.deepcopy(OPTIONS), *loading.get_auth_common_conf_options()])]

"""The table of all options of `[keystone_authtoken]`: name, default, bounds and help.

keystonemiddleware's options keep their names, defaults and meanings, so that a service's
configuration works unchanged; the others are ours. `authmw.config.loading` reads the options in
`GROUPS`, the sample configuration is generated from it, and `authmw.config.settings.Settings` has
a field for each.
"""

from __future__ import annotations

import copy
import itertools

from oslo_config import cfg, types

from authmw.config.types import BoolOpt, DictOpt, IntOpt, ListOpt, StrOpt

GROUP = "keystone_authtoken"
DEFAULT_ALGORITHMS = ("ES256",)

IDENTITY_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "www_authenticate_uri",
        help="Public, unversioned URI of the identity service. A 401 names it in the "
        "WWW-Authenticate header, to tell clients where to get a token. Unset, the header "
        "names the identity endpoint found by discovery, which clients may be unable to "
        "reach.",
    ),
    StrOpt(
        "auth_version",
        help="Version of the Identity API to use. Only v3 is supported; unset, discovery chooses "
        "it.",
    ),
    StrOpt(
        "interface",
        default="internal",
        help="Interface of the identity endpoint in the catalog that validates tokens: internal, "
        "public or admin.",
    ),
    StrOpt(
        "region_name",
        help="Region of the identity endpoint, if the catalog lists several. Unset uses the first.",
    ),
    IntOpt(
        "http_connect_timeout",
        unit="seconds",
        min=1,
        help="Seconds to wait for a connection to the identity service, and again for each piece "
        "of its response. Unset means 5 to connect and 30 to read, so that an unresponsive "
        "service never holds a worker for ever.",
    ),
    IntOpt(
        "http_request_max_retries",
        unit="retries",
        default=3,
        help="Number of retries if no connection to the identity service can be made, with "
        "growing pauses, within identity_deadline. 0 tries once.",
    ),
    IntOpt(
        "identity_deadline",
        unit="seconds",
        min=1,
        default=10,
        help="Seconds that one validation may take in total, including retries and redirects; "
        "after that the client gets 503. Keep it below the timeout of load balancers "
        "(usually 30 to 60 seconds), so that the client learns the reason.",
    ),
    IntOpt(
        "identity_outage_grace",
        unit="seconds",
        default=300,
        help="Seconds for which a cached token, or the cached roles of a signed token's bearer, "
        "stay usable while the identity service cannot answer, and only then; never past "
        "the token's expiry. Five minutes cover a restart. 0 turns this off.",
    ),
    StrOpt(
        "certfile",
        help="PEM file with the client certificate for the identity service (mutual TLS). It may "
        "also hold the private key, which must not be encrypted.",
    ),
    StrOpt(
        "keyfile", help="PEM file with the private key of certfile, if certfile does not hold it."
    ),
    StrOpt(
        "cafile",
        help="PEM file with the certificate authorities trusted for the identity service, or a "
        "directory of them (`openssl rehash`). It is also read at start, to find faults. "
        "Unset uses the file that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names, else the "
        "system's (OpenSSL's default store), else those of the package certifi if the "
        "system has none.",
    ),
    BoolOpt(
        "insecure",
        default=False,
        help="When true, the identity service's certificate is NOT verified: anyone on the "
        "network path can read tokens and forge identities. For tests only.",
    ),
)

REQUEST_OPTIONS: tuple[cfg.Opt, ...] = (
    BoolOpt(
        "delay_auth_decision",
        mutable=True,
        default=False,
        help="When true, a request without a valid token reaches the service, marked "
        "X-Identity-Status: Invalid, and the service decides. When false, it is answered "
        "with 401.",
    ),
    BoolOpt(
        "include_service_catalog",
        default=True,
        help="Whether the service gets X-Service-Catalog. When false, the catalog is not "
        "requested, which makes validation faster and cache entries smaller.",
    ),
    StrOpt(
        "enforce_token_bind",
        mutable=True,
        default="permissive",
        help="How to treat tokens bound to a client: disabled ignores bindings; permissive "
        "checks the known ones and ignores others; strict refuses unknown ones; required "
        "refuses tokens without one; any other word names the binding that a token must "
        "have. Known are kerberos (AUTH_TYPE and REMOTE_USER) and x5t#S256, the certificate "
        "of a TLS client (SSL_CLIENT_CERT, which the web server has to set).",
    ),
    ListOpt(
        "service_token_roles",
        mutable=True,
        default=["service"],
        help="Roles that make a service token trusted; it needs one of them. A trusted service "
        "token may accompany an expired user token and is exempt from the user's access "
        "rules. Give these roles to services only.",
    ),
    BoolOpt(
        "service_token_roles_required",
        mutable=True,
        default=True,
        help="Whether a service token without a role of service_token_roles is refused. When "
        "false, it is accepted, without the rights that such a role gives.",
    ),
    StrOpt(
        "service_type",
        mutable=True,
        help="This service's type in the catalog (compute, image, ...). It is needed to accept "
        "application credentials with access rules; unset refuses them.",
    ),
    StrOpt(
        "log_refusals",
        mutable=True,
        default="info",
        choices=(
            ("debug", "shown only where debugging is on"),
            ("info", "services usually log info and above"),
            ("warning", "for services that log only warnings"),
        ),
        help="Level of the log lines about refused tokens, and about valid ones that lack what "
        "the service requires. For each reason at most 20 lines are written at once, and one a "
        "second after that.",
    ),
    IntOpt(
        "max_token_size",
        unit="bytes",
        min=256,
        default=8000,
        help="Largest token accepted, in bytes; a longer one is refused without being parsed. "
        "Servers limit a header line to about 8190 bytes, so longer tokens do not arrive "
        "anyway.",
    ),
    BoolOpt(
        "accept_bearer",
        mutable=True,
        help="Whether a token is also taken from `Authorization: Bearer` if there is no "
        "X-Auth-Token. Unset, it is where issuers are configured, since OAuth clients send it "
        "there, and is not elsewhere, because services may use that header themselves.",
    ),
    ListOpt(
        "public_paths",
        mutable=True,
        default=[],
        help="Requests that need no token, as /healthcheck (GET and HEAD) or POST /v1/hooks/*. "
        "Patterns are those of access rules: * or {tag} within a segment, ** across "
        "segments. A token sent with such a request is ignored.",
    ),
    BoolOpt(
        "allow_cors_preflight",
        mutable=True,
        default=False,
        help="Whether OPTIONS requests need no token, on any path. Browsers send none in a CORS "
        "preflight. Do not use it with a service that takes the method from a request "
        "header.",
    ),
    ListOpt(
        "cors_allowed_origins",
        mutable=True,
        default=[],
        help="Origins (https://app.example.org) whose pages may read the 401, 403 and 503 "
        "responses of authmw itself, or * for all. The service's own responses and the "
        "preflight are left to the service. Credentials mode is never allowed, as tokens do "
        "not need it. Not needed behind a CORS filter that covers every response, such as "
        "oslo.middleware's.",
    ),
    StrOpt(
        "admin_project_name",
        help="Name of the project whose tokens are marked X-Is-Admin-Project: True when they are "
        "validated offline. Use the value of resource.admin_project_name in the identity "
        "service.",
    ),
    StrOpt(
        "admin_project_domain_name",
        help="Name of the domain that holds the project admin_project_name. Set both or neither.",
    ),
)

CACHE_OPTIONS: tuple[cfg.Opt, ...] = (
    IntOpt(
        "token_cache_time",
        unit="seconds",
        min=-1,
        default=300,
        help="Seconds for which a validated token is cached, at most until it expires. A change "
        "without a revocation event goes unnoticed for up to this time. -1 or 0 turns the "
        "cache off.",
    ),
    IntOpt(
        "negative_cache_time",
        unit="seconds",
        max=5,
        default=0,
        help="Seconds for which a refused token is cached in memory, against floods of one bad "
        "token. Off by default; at most 5, since a token may become valid.",
    ),
    IntOpt(
        "memory_cache_size",
        unit="entries",
        min=1,
        default=10000,
        help="Largest number of tokens that one process caches in memory; the least used go first.",
    ),
    IntOpt(
        "memory_cache_bytes",
        unit="bytes",
        min=1024 * 1024,
        default=128 * 1024 * 1024,
        help="Largest total size, in bytes, of the tokens cached in one process's memory (128 "
        "MiB). Catalogs make tokens large, so the number of entries alone is no bound.",
    ),
    StrOpt(
        "cache",
        help="Key of the WSGI environ that holds the service's own cache object (swift.cache). "
        "Requests that carry it use it instead of memcached_servers.",
    ),
    ListOpt(
        "memcached_servers",
        deprecated_name="memcache_servers",
        help="memcached servers (host:port, inet6:[address]:port or unix:path) through which "
        "processes share the identity service's responses. Unset, each process keeps its "
        "own.",
    ),
    StrOpt(
        "memcache_security_strategy",
        default="None",
        choices=(
            ("None", "no protection: who can write to memcached can forge any identity"),
            ("MAC", "detects forged entries"),
            ("ENCRYPT", "detects forged entries, and hides what is in them"),
        ),
        ignore_case=True,
        help="Protection of the cache entries that processes share through memcached.",
    ),
    StrOpt(
        "memcache_secret_key",
        secret=True,
        help="Secret from which the keys of MAC and ENCRYPT are derived; the same for all "
        "processes that share the cache. Use at least 32 random characters.",
    ),
    StrOpt(
        "memcache_secret_key_previous",
        secret=True,
        help="Previous value of memcache_secret_key. Entries sealed with it stay readable while "
        "the new secret is rolled out.",
    ),
    IntOpt(
        "memcache_pool_dead_retry",
        unit="seconds",
        default=300,
        help="Seconds before a failed memcached server is tried again.",
    ),
    IntOpt(
        "memcache_pool_maxsize",
        unit="connections",
        min=1,
        default=10,
        help="Largest number of connections that one process keeps open to each memcached server.",
    ),
    IntOpt(
        "memcache_pool_socket_timeout",
        unit="seconds",
        min=1,
        default=3,
        help="Seconds to wait for a memcached server to connect or respond.",
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
        help="Seconds to wait for a free connection if all are in use; after that the request "
        "continues without the cache.",
    ),
    BoolOpt(
        "memcache_use_advanced_pool",
        default=True,
        help="Accepted for compatibility; it has no effect. Connections are always pooled, "
        "safely for threads and greenlets.",
    ),
    BoolOpt(
        "memcache_sasl_enabled",
        default=False,
        help="Whether to log in to memcached with memcache_username and memcache_password.",
    ),
    StrOpt("memcache_username", help="User name for memcached, used with memcache_sasl_enabled."),
    StrOpt(
        "memcache_password",
        secret=True,
        help="Password for memcached, used with memcache_sasl_enabled.",
    ),
    BoolOpt(
        "memcache_tls_enabled",
        default=False,
        help="Whether to use TLS with the memcached servers. The other memcache_tls options have "
        "an effect only then.",
    ),
    StrOpt(
        "memcache_tls_cafile",
        help="PEM file with the certificate authorities trusted for memcached, or a directory of "
        "them (`openssl rehash`). Unset uses the system's (OpenSSL's default store).",
    ),
    StrOpt(
        "memcache_tls_certfile",
        help="PEM file with the client certificate for memcached. It may also hold the private "
        "key, which must not be encrypted.",
    ),
    StrOpt(
        "memcache_tls_keyfile",
        help="PEM file with the private key of memcache_tls_certfile, if that file does not hold "
        "it.",
    ),
    StrOpt(
        "memcache_tls_allowed_ciphers",
        help="Ciphers allowed for memcached, in OpenSSL's notation. Unset uses OpenSSL's default.",
    ),
)

OFFLINE_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "token_validation",
        default="auto",
        choices=(
            (
                "auto",
                "verifies signed tokens locally if there is a source of public keys, else remote",
            ),
            ("offline", "verifies signatures locally, and refuses tokens that are not signed"),
            ("remote", "asks the identity service"),
        ),
        help="Where tokens are validated. With auto and a source of keys, the identity service is "
        "asked about tokens that are not signed.",
    ),
    BoolOpt(
        "shadow_validation",
        default=False,
        help="When true, the identity service decides, signed tokens are also verified offline, "
        "and every difference is logged. A rehearsal for offline validation.",
    ),
    StrOpt(
        "jws_public_key_repository",
        help="Directory with the public keys of signed tokens, as PEM, JWK or JWK set files "
        "named .pem, .pub, .key, .crt, .cer, .jwk, .jwks, .json or without an extension. "
        "Neither it nor a directory above it may be world-writable. Changes are noticed "
        "within seconds; removing a file revokes its keys.",
    ),
    StrOpt(
        "jws_jwks_uri",
        help="https URI of a JWK set with the public keys of signed tokens. It may be combined "
        "with jws_public_key_repository.",
    ),
    ListOpt(
        "jws_accepted_algorithms",
        default=list(DEFAULT_ALGORITHMS),
        item_type=types.String(
            choices=(
                *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
                *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
            )
        ),
        help="Signature algorithms accepted. Keystone signs with ES256; Ed25519 is another name "
        "of EdDSA (RFC 9864).",
    ),
    IntOpt(
        "jws_max_keys",
        unit="keys",
        min=1,
        default=8,
        help="Largest number of keys tried for one token, to bound the work that a forged token "
        "causes. Rotation needs two or three at a time.",
    ),
    IntOpt(
        "jws_keys_max_age",
        unit="seconds",
        min=1,
        default=86400,
        help="Seconds for which the last keys stay in use while their directory or URI cannot be "
        "read; after that signed tokens get 503. A day leaves time for repair.",
    ),
    StrOpt(
        "jws_issuer",
        help="The `iss` claim that signed tokens must carry. Unset accepts any; Keystone writes "
        "none.",
    ),
    StrOpt(
        "jws_audience",
        help="Audience that identifies this service. A signed token with an `aud` claim that "
        "does not contain it is refused (RFC 7519 section 4.1.3). Unset refuses every token "
        "with an `aud`.",
    ),
    ListOpt(
        "jws_authority",
        default=["identity"],
        item_type=types.String(choices=("claims", "bundle", "identity")),
        help="Sources of the names and roles of a signed token, in the order used: claims reads "
        "them from the token itself; bundle evaluates the facts of an authority bundle on the "
        "local disk (bundle_path); identity asks the identity service, once per user and scope "
        "rather than per token.",
    ),
    StrOpt(
        "bundle_path",
        help="File of the authority bundle for jws_authority = bundle. Neither it nor a directory "
        "above it may be world-writable. Every process notices within a second that it was "
        "replaced; while it cannot be used, the last good revision stays in force.",
    ),
    IntOpt(
        "bundle_max_age",
        unit="seconds",
        min=1,
        default=600,
        help="Seconds after which the facts of the bundle are too old to decide: what only the "
        "bundle could say is then a 503. A site that is cut off for longer needs more, and more "
        "revocation_max_staleness as well.",
    ),
    IntOpt(
        "bundle_warn_age",
        unit="seconds",
        min=1,
        default=300,
        help="Seconds after which each process logs one warning that the facts of the bundle are "
        "old.",
    ),
    IntOpt(
        "bundle_service_max_age",
        unit="seconds",
        min=1,
        help="Greatest age of the facts that decide about a request with a valid service token "
        "that has one of service_token_roles: such a request waits for newer facts "
        "(bundle_wait_time). Unset allows as much as bundle_max_age.",
    ),
    IntOpt(
        "bundle_wait_time",
        unit="seconds",
        min=0,
        max=60,
        default=2,
        help="Seconds for which a request with a valid service token waits for the revision that "
        "its X-Authmw-Min-Revision names, or for facts younger than bundle_service_max_age; then "
        "it gets 503. 0 never waits.",
    ),
    IntOpt(
        "bundle_max_waiting",
        unit="requests",
        min=1,
        default=4,
        help="Requests of one process that may wait for a revision at the same time: each holds a "
        "thread. One more gets 503 at once.",
    ),
    DictOpt(
        "jws_claim_names",
        default={},
        help="Claim names for jws_authority = claims, if an issuer uses others, as "
        "roles:groups,user_name:preferred_username. A meaning that is not listed keeps its "
        "default claim: openstack_roles, openstack_user_name, ...",
    ),
    IntOpt(
        "authority_cache_time",
        unit="seconds",
        min=1,
        default=60,
        help="Seconds for which the identity service's response about a bearer's roles counts as "
        "fresh. A removed role, a disabled project or a deleted application credential is "
        "noticed within this time. One call renews it for all tokens of a user with one "
        "scope.",
    ),
    IntOpt(
        "authority_renewal_rate",
        unit="calls a second",
        default=10,
        help="Largest number of calls a second with which one process renews the roles behind "
        "tokens that are not signed. If more bearers are in use, and with 0, roles may be "
        "as old as token_cache_time allows.",
    ),
    IntOpt(
        "clock_skew_tolerance",
        unit="seconds",
        max=300,
        default=5,
        help="Seconds by which a signed token's issue time may lie in the future. This never "
        "extends its expiry.",
    ),
)

REVOCATION_OPTIONS: tuple[cfg.Opt, ...] = (
    IntOpt(
        "revocation_poll_interval",
        unit="seconds",
        default=10,
        help="Seconds between polls for revocation events, and so the delay until a revoked "
        "token is refused. 0 turns polling off, which is allowed with token_validation = "
        "remote, or with offline, where revoked tokens then stay valid until they expire.",
    ),
    IntOpt(
        "revocation_max_staleness",
        unit="seconds",
        min=1,
        default=600,
        help="Seconds without a successful poll for revocation events after which offline "
        "validation answers 503 instead of trusting tokens.",
    ),
    IntOpt(
        "revocation_retention",
        unit="seconds",
        min=1,
        default=180000,
        help="Seconds for which an event is kept. The default covers 48 hours in which services "
        "may use expired tokens, and two hours of the tokens' own life. A signed token "
        "issued before an event that was dropped gets 503, so write at least the longest "
        "life of a token.",
    ),
    IntOpt(
        "revocation_max_events",
        unit="events",
        min=1,
        default=100000,
        help="Largest number of events kept. If there are more, the oldest are dropped, and "
        "signed tokens issued before one of those get 503.",
    ),
)

OAUTH_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "oauth_resource",
        help="Resource identifier of this service (RFC 9728), the https URL by which OAuth clients "
        "call it. Its metadata, at /.well-known/oauth-protected-resource, and the challenge of a "
        "401 tell clients where to get a token. Unset, it is the audience of the issuers, if all "
        "have the same and it is a URL.",
    ),
    ListOpt(
        "oauth_scopes",
        default=[],
        help="Values of the OAuth scope that the metadata suggests to clients.",
    ),
    StrOpt(
        "public_endpoint",
        help="URL under which clients reach the root of this server. Proofs for tokens that are "
        "bound to a key (DPoP, RFC 9449) name the URL of the request, which is compared with "
        "this and never with the Host header. Unset, it is the server of oauth_resource.",
    ),
    IntOpt(
        "dpop_proof_lifetime",
        unit="seconds",
        min=1,
        max=3600,
        default=60,
        help="Seconds after which a DPoP proof is too old. So long its use is remembered, in "
        "memory and in memcached_servers: without the latter, each process accepts it once.",
    ),
    StrOpt(
        "dpop_nonce_secret",
        secret=True,
        help="When set, DPoP proofs must hold a nonce that is made with this secret, the same "
        "for all processes, and changes every five minutes. So no proof can be made in advance. "
        "Write 32 random characters.",
    ),
)

METRICS_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt(
        "metrics",
        default="none",
        choices=(
            ("none", "nothing is counted"),
            ("registry", "counts requests for authmw.metrics.stats()"),
            (
                "prometheus",
                "shows them with prometheus-client; needs the extra 'prometheus'",
            ),
            (
                "opentelemetry",
                "shows them with the service's meter provider; needs the extra 'opentelemetry'",
            ),
        ),
        help="Where metrics are shown. With prometheus, PROMETHEUS_MULTIPROC_DIR adds up all "
        "processes.",
    ),
)

GROUPS: tuple[tuple[str, tuple[cfg.Opt, ...]], ...] = (
    ("The identity service", IDENTITY_OPTIONS),
    ("Requests", REQUEST_OPTIONS),
    ("Caches", CACHE_OPTIONS),
    ("Offline validation", OFFLINE_OPTIONS),
    ("Revocation", REVOCATION_OPTIONS),
    ("OAuth clients, where issuers are configured", OAUTH_OPTIONS),
    ("Metrics", METRICS_OPTIONS),
)

OPTIONS: tuple[cfg.Opt, ...] = tuple(itertools.chain.from_iterable(dict(GROUPS).values()))


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return (group, options) pairs for oslo-config-generator and for services that register them.

    Entry point `oslo.config.opts`. The options are copies, which the caller may change.
    `auth_type` and `auth_section` come from keystoneauth1, which compares them if a service
    registers them too. The options of the auth plugin depend on `auth_type` and are not listed.
    """
    # Imported here: it loads requests, which the table does not need.
    from authmw.runtime.libraries import loading

    return [(GROUP, [*copy.deepcopy(OPTIONS), *loading.get_auth_common_conf_options()])]

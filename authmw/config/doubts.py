"""Settings that work, but probably not as intended: each is a warning at start."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from authmw.checks.token_bind import CERTIFICATE, KERBEROS, KEY, POLICIES
from authmw.config.credentials import find_doubtful_credentials
from authmw.config.findings import Finding
from authmw.config.settings import KEY_SOURCES, Settings, Validation
from authmw.config.slips import find_nearest

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Random characters; fewer could be guessed.
_SHORTEST_SECRET = 32
_RANDOM = f"{_SHORTEST_SECRET} or more random characters (openssl rand -base64 {_SHORTEST_SECRET})"
_SEAL = f"set memcache_security_strategy = ENCRYPT, and memcache_secret_key to {_RANDOM}"
# Keystone's default lifetime of a token.
_SHORTEST_RETENTION_SECONDS = 3600


def find_doubtful(settings: Settings) -> list[Finding]:
    """Return what probably is not meant; the rules of `authmw.config.rules` hold already."""
    return [
        *_find_doubtful_identity(settings),
        *_find_doubtful_requests(settings),
        *_find_doubtful_caches(settings),
        *_find_doubtful_offline(settings),
        *_find_doubtful_revocation(settings),
        *_find_doubtful_oauth(settings),
    ]


def _warn(option: str, cause: str, fix: str = "") -> Finding:
    return Finding("warn", option, cause, fix)


def _find_doubtful_identity(settings: Settings) -> Iterator[Finding]:
    if settings.auth is not None:
        yield from find_doubtful_credentials(settings.auth.auth_type, settings.auth.section)
    if settings.www_authenticate_uri is None and (
        settings.auth is not None or settings.has_key_source
    ):
        yield _warn(
            "www_authenticate_uri",
            "www_authenticate_uri is not set: a 401 sends clients to the address that this "
            "service uses, which they may be unable to reach",
            "write the public URL of the identity service",
        )
    if settings.insecure:
        yield _warn(
            "insecure",
            "insecure = true: the identity service's certificate is not verified, anyone on the "
            "network path can read tokens and forge identities",
            "write cafile instead",
        )
        if settings.cafile is not None:
            yield _warn("cafile", "cafile has no effect with insecure = true")


def _find_doubtful_requests(settings: Settings) -> Iterator[Finding]:
    bind = settings.enforce_token_bind
    # Only tokens of issuers are bound to keys.
    known = (*POLICIES, KERBEROS, CERTIFICATE, *((KEY,) if settings.issuers else ()))
    if bind not in known:
        near = find_nearest(bind, known, 0.75)
        yield _warn(
            "enforce_token_bind",
            f"enforce_token_bind = {bind!r} names a binding that every token must have, and that "
            "can't be checked here: every token will be refused",
            f"did you mean {near}?" if near else f"write one of {', '.join(known)}",
        )
    if not settings.service_token_roles_required:
        yield _warn(
            "service_token_roles_required",
            "service_token_roles_required = false: any valid token is accepted as a service token",
            "set it to true",
        )
    elif not settings.service_token_roles:
        yield _warn(
            "service_token_roles",
            "service_token_roles is empty: no service token will ever be accepted",
            "name a role, such as service",
        )


def _find_doubtful_caches(settings: Settings) -> Iterator[Finding]:
    strategy = settings.memcache_security_strategy
    secret = settings.memcache_secret_key
    if strategy is not None and secret is not None and len(secret) < _SHORTEST_SECRET:
        yield _warn(
            "memcache_secret_key",
            f"memcache_secret_key has fewer than {_SHORTEST_SECRET} characters: anyone who can "
            "read memcached may guess it",
            f"write {_RANDOM}",
        )
    if strategy is None and secret is not None:
        yield _warn(
            "memcache_secret_key",
            "memcache_secret_key has no effect without memcache_security_strategy",
            "set memcache_security_strategy = ENCRYPT",
        )
    if strategy is None and (settings.memcached_servers or settings.cache):
        yield _warn(
            "memcache_security_strategy",
            "memcached entries are not protected: anyone who can write to memcached can forge any "
            "identity",
            _SEAL if secret is None else "set memcache_security_strategy = ENCRYPT",
        )
    if not settings.memcache_sasl_enabled and settings.memcache_username is not None:
        yield _warn(
            "memcache_username",
            "memcache_username has no effect without memcache_sasl_enabled",
            "write memcache_sasl_enabled = true",
        )
    if not settings.memcache_tls_enabled:
        for option in ("memcache_tls_cafile", "memcache_tls_certfile"):
            if getattr(settings, option) is not None:
                yield _warn(
                    option,
                    f"{option} has no effect without memcache_tls_enabled",
                    "write memcache_tls_enabled = true",
                )


def _find_doubtful_oauth(settings: Settings) -> Iterator[Finding]:
    if not settings.issuers:
        # Not public_endpoint: services have one of their own, and may hand it over.
        for option in ("oauth_resource", "oauth_scopes", "dpop_nonce_secret"):
            if getattr(settings, option):
                yield _warn(
                    option,
                    f"{option} has no effect without an issuer",
                    "write a section [authmw_issuer:NAME]",
                )
    nonce_secret = settings.dpop_nonce_secret
    if nonce_secret is not None and len(nonce_secret) < _SHORTEST_SECRET:
        yield _warn(
            "dpop_nonce_secret",
            f"dpop_nonce_secret has fewer than {_SHORTEST_SECRET} characters: it may be guessed",
            f"write {_RANDOM}",
        )


def _find_doubtful_offline(settings: Settings) -> Iterator[Finding]:
    uri = settings.jws_jwks_uri
    if uri is not None and urlsplit(uri).scheme == "http" and not _is_loopback(uri):
        yield _warn(
            "jws_jwks_uri",
            "jws_jwks_uri is not https: anyone on the network path can forge keys",
            "write an https URI",
        )
    rules = [name for name in ("jws_issuer", "jws_audience") if getattr(settings, name) is not None]
    if settings.token_validation is Validation.REMOTE and not settings.shadow_validation:
        if settings.has_key_source:
            yield _warn(
                "token_validation", "public keys have no effect with token_validation = remote"
            )
        for option in rules:
            yield _warn(
                option,
                f"{option} has no effect with token_validation = remote: no token is refused",
            )
    elif not settings.has_key_source:
        for option in rules:
            yield _warn(option, f"{option} has no effect without {' or '.join(KEY_SOURCES)}")
    if settings.bundle_path is not None and not settings.uses_bundle:
        yield _warn(
            "bundle_path",
            "bundle_path has no effect without bundle in jws_authority, or where no signed token "
            "is validated offline",
            "write jws_authority = bundle, or bundle,identity",
        )
    if settings.jws_claim_names and "claims" not in settings.jws_authority:
        yield _warn(
            "jws_claim_names", "jws_claim_names has no effect without claims in jws_authority"
        )


def _find_doubtful_revocation(settings: Settings) -> Iterator[Finding]:
    interval = settings.revocation_poll_interval
    if settings.revocation_retention < _SHORTEST_RETENTION_SECONDS:
        yield _warn(
            "revocation_retention",
            "revocation_retention is less than an hour: a signed token that lives longer gets 503",
            "write no less than the life of a token",
        )
    if settings.validates_offline and interval and settings.auth is None and settings.uses_bundle:
        if settings.bundle_max_age > settings.revocation_max_staleness:
            yield _warn(
                "revocation_max_staleness",
                f"revocation_max_staleness = {settings.revocation_max_staleness} is less than "
                f"bundle_max_age = {settings.bundle_max_age}: without auth_type the bundle's "
                "revocation events are the only ones, and every signed token gets 503 once they "
                "are older",
                "write the same number of seconds for both",
            )
    elif settings.validates_offline and interval and settings.auth is None:
        yield _warn(
            "auth_type",
            "without auth_type revocation events can't be read, and every signed token gets 503",
            "set auth_type, or token_validation = offline and revocation_poll_interval = 0",
        )
    if (settings.validates_offline or settings.polls_revocation_lists) and interval == 0:
        yield _warn(
            "revocation_poll_interval",
            "revocation_poll_interval = 0: revoked tokens validated offline stay valid until they "
            "expire",
            "write a number of seconds",
        )
    remembers = settings.auth is not None and settings.token_cache_time > 0
    if not settings.validates_offline and remembers and interval >= settings.token_cache_time:
        yield _warn(
            "revocation_poll_interval",
            f"revocation_poll_interval = {interval} is no less than token_cache_time = "
            f"{settings.token_cache_time}: a revoked token is in no cache any more when its event "
            "is read",
            "write fewer seconds, such as 10, or 0 to read no events",
        )


def _is_loopback(uri: str) -> bool:
    return urlsplit(uri).hostname in _LOOPBACK

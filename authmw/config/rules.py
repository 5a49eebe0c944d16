"""Rules over the values of one or several options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from authmw.checks.paths import PublicPaths
from authmw.config.settings import KEY_SOURCES, Settings, Validation
from authmw.config.urls import verify_url
from authmw.errors import ConfigurationError

# Compiled at first use: most configurations have neither option.
_VERSION_3 = r"v?3(\.[0-9]+)?"
_UNSAFE_IN_HEADER = r"[^\x21-\x7e]|[\"\\]"


def verify_settings(settings: Settings) -> None:
    """Check the rules that no single option's type can express.

    `authmw.config.doubts` finds settings that work, but probably not as intended.

    Raises:
        ConfigurationError: settings contradict each other; it says what to write instead.
    """
    _verify_identity(settings)
    _verify_requests(settings)
    _verify_caches(settings)
    _verify_offline(settings)
    _verify_revocation(settings)
    _verify_oauth(settings)
    _verify_issuers(settings)


def _verify_identity(settings: Settings) -> None:
    uri = settings.www_authenticate_uri
    if uri is not None:
        verify_url("www_authenticate_uri", uri)
    if uri is not None and re.search(_UNSAFE_IN_HEADER, uri):
        raise ConfigurationError(
            "www_authenticate_uri",
            uri,
            "write a plain URI: it is sent in a header, where blanks, quotes, backslashes and "
            "letters beyond ASCII have no place",
        )
    version = settings.auth_version
    if version is not None and not re.fullmatch(_VERSION_3, version, re.ASCII):
        raise ConfigurationError("auth_version", version, "remove it, or write v3")
    if settings.keyfile is not None and settings.certfile is None:
        raise ConfigurationError(
            "keyfile", settings.keyfile, "set certfile to the certificate of this key, too"
        )


def _verify_requests(settings: Settings) -> None:
    for entry in settings.public_paths:
        try:
            PublicPaths.parse([entry])
        except ValueError as exc:
            raise ConfigurationError("public_paths", entry, str(exc)) from None
    if settings.cors_allowed_origins:
        _verify_origins(settings.cors_allowed_origins)
    project, domain = settings.admin_project_name, settings.admin_project_domain_name
    if (project is None) != (domain is None):
        raise ConfigurationError(
            "admin_project_name" if project is None else "admin_project_domain_name",
            None,
            "set admin_project_name and admin_project_domain_name together",
        )


def _verify_origins(origins: tuple[str, ...]) -> None:
    # Imported here: few services answer browsers.
    from authmw.wsgi.cors import verify_origins

    try:
        verify_origins(origins)
    except ValueError as error:
        raise ConfigurationError("cors_allowed_origins", ",".join(origins), str(error)) from None


def _verify_oauth(settings: Settings) -> None:
    # Imported here: few services have OAuth clients.
    if settings.oauth_resource is not None:
        from authmw.wsgi.protected_resource import verify_identifier

        try:
            verify_identifier(settings.oauth_resource)
        except ValueError as error:
            raise ConfigurationError(
                "oauth_resource", settings.oauth_resource, str(error)
            ) from None
    # Without issuers it has no use here; services that hand over all their options have one.
    if settings.public_endpoint is not None and settings.issuers:
        from authmw.checks.dpop import PublicEndpoint

        try:
            PublicEndpoint.parse(settings.public_endpoint)
        except ValueError as error:
            raise ConfigurationError(
                "public_endpoint", settings.public_endpoint, f"{error}; write https://host"
            ) from None


def _verify_issuers(settings: Settings) -> None:
    for issuer in settings.issuers:
        for record in issuer.records:
            if record.identifier is not None and record.identifier == settings.jws_issuer:
                raise ConfigurationError(
                    "jws_issuer",
                    settings.jws_issuer,
                    f"section {issuer.section} has the same; remove one of both: a token is "
                    "either Keystone's or this issuer's.",
                )


def _verify_caches(settings: Settings) -> None:
    strategy = settings.memcache_security_strategy
    if strategy is not None and settings.memcache_secret_key is None:
        raise ConfigurationError(
            "memcache_secret_key",
            None,
            f"memcache_security_strategy = {strategy} needs a secret, the same for all processes: "
            "32 or more random characters (openssl rand -base64 32)",
        )
    if settings.memcache_secret_key_previous is not None and settings.memcache_secret_key is None:
        raise ConfigurationError(
            "memcache_secret_key",
            None,
            "memcache_secret_key_previous goes with the new secret: set that as well",
        )
    if settings.memcache_sasl_enabled:
        for option, value in (
            ("memcache_username", settings.memcache_username),
            ("memcache_password", settings.memcache_password),
        ):
            if value is None:
                raise ConfigurationError(option, None, "memcache_sasl_enabled = true needs it")
    if settings.memcache_tls_keyfile is not None and settings.memcache_tls_certfile is None:
        raise ConfigurationError(
            "memcache_tls_keyfile",
            settings.memcache_tls_keyfile,
            "set memcache_tls_certfile to the certificate of this key, too",
        )


def _verify_offline(settings: Settings) -> None:
    for option, items in (
        ("jws_accepted_algorithms", settings.jws_accepted_algorithms),
        ("jws_authority", settings.jws_authority),
    ):
        if not items:
            raise ConfigurationError(option, "", "name at least one, or remove the line")
        if len(set(items)) < len(items):
            raise ConfigurationError(option, ",".join(items), "name each only once")
    if "claims" in settings.jws_authority[1:]:
        raise ConfigurationError(
            "jws_authority",
            ",".join(settings.jws_authority),
            "put claims first: used after another source, they would accept in an outage a bearer "
            "that this source has refused",
        )
    _verify_bundle(settings)
    if settings.jws_claim_names:
        _verify_claim_names(settings.jws_claim_names)
    uri = settings.jws_jwks_uri
    if uri is not None:
        _verify_keys_uri(uri)
    if settings.shadow_validation and settings.token_validation is Validation.OFFLINE:
        raise ConfigurationError(
            "shadow_validation",
            "true",
            "with it the identity service decides: write token_validation = auto or remote",
        )
    if settings.token_validation is Validation.OFFLINE:
        for issuer in settings.issuers:
            if issuer.introspection is not None:
                raise ConfigurationError(
                    "profile",
                    "introspection",
                    "write token_validation = auto in [keystone_authtoken], or another profile: "
                    "with offline, nobody is asked about a token.",
                    section=issuer.section,
                )
    if not settings.has_key_source:
        needs = f"set {' or '.join(KEY_SOURCES)}: it needs public keys"
        if settings.token_validation is Validation.OFFLINE and not settings.issuers:
            raise ConfigurationError("token_validation", "offline", needs)
        if settings.shadow_validation:
            raise ConfigurationError("shadow_validation", "true", needs)


def _verify_bundle(settings: Settings) -> None:
    authority = settings.jws_authority
    if "bundle" not in authority:
        return
    if "identity" in authority[: authority.index("bundle")]:
        raise ConfigurationError(
            "jws_authority",
            ",".join(authority),
            "put bundle before identity: used after it, older facts would accept in an outage a "
            "bearer that the identity service has refused",
        )
    if settings.bundle_path is None:
        raise ConfigurationError(
            "bundle_path", None, "jws_authority = bundle needs it: name the bundle's file"
        )
    if settings.bundle_warn_age >= settings.bundle_max_age:
        raise ConfigurationError(
            "bundle_warn_age",
            settings.bundle_warn_age,
            f"write less than bundle_max_age, which is {settings.bundle_max_age} seconds",
        )
    service_age = settings.bundle_service_max_age
    if service_age is not None and service_age >= settings.bundle_max_age:
        raise ConfigurationError(
            "bundle_service_max_age",
            service_age,
            f"write less than bundle_max_age, which is {settings.bundle_max_age} seconds, or "
            "leave it out",
        )


def _verify_keys_uri(uri: str) -> None:
    verify_url("jws_jwks_uri", uri)
    if "@" in urlsplit(uri).netloc:
        raise ConfigurationError(
            "jws_jwks_uri", uri, "write it without user and password, which are never sent"
        )


def _verify_claim_names(names: Mapping[str, str]) -> None:
    # Imported here: no other rule needs it.
    from authmw.config.claim_names import DEFAULT_CLAIM_NAMES, PER_TOKEN_CLAIMS

    for meaning, claim in names.items():
        written = f"{meaning}:{claim}"
        if meaning not in DEFAULT_CLAIM_NAMES:
            known = ", ".join(DEFAULT_CLAIM_NAMES)
            raise ConfigurationError(
                "jws_claim_names", written, f"before the colon write one of {known}"
            )
        if claim in PER_TOKEN_CLAIMS:
            raise ConfigurationError(
                "jws_claim_names",
                written,
                f"name another claim: {claim} differs between tokens of one bearer, which share "
                "what was read from one of them",
            )


def _verify_revocation(settings: Settings) -> None:
    interval = settings.revocation_poll_interval
    if not (settings.validates_offline or settings.polls_revocation_lists):
        return
    if interval == 0 and settings.token_validation is not Validation.OFFLINE:
        raise ConfigurationError(
            "revocation_poll_interval",
            0,
            "write a number of seconds, or token_validation = offline if signed tokens are to "
            "stay valid until they expire, revoked or not",
        )
    if interval >= settings.revocation_max_staleness:
        raise ConfigurationError(
            "revocation_max_staleness",
            settings.revocation_max_staleness,
            f"write more than revocation_poll_interval, which is {interval} seconds",
        )

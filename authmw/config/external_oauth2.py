"""Reads `[ext_oauth2_auth]`, the section of keystonemiddleware's external_oauth2_token filter.

Its options keep their names and become options of ours: one issuer that is asked about opaque
tokens (`profile = ext-oauth2`), and the same caches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oslo_config import cfg

from authmw.config.findings import Finding
from authmw.config.loading import log_findings
from authmw.config.option_reader import make_option_reader
from authmw.config.options import CACHE_OPTIONS, IDENTITY_OPTIONS
from authmw.config.slips import find_option_slips, find_section_slips, find_slip_of
from authmw.config.types import BoolOpt, IntOpt, StrOpt
from authmw.errors import ConfigurationError

GROUP: Final = "ext_oauth2_auth"
_ISSUER: Final = "issuer.ext_oauth2_auth."

# Options with the same name and meaning in [keystone_authtoken].
_SHARED: Final = (
    *("certfile", "keyfile", "cafile", "insecure", "http_connect_timeout"),
    *("memcached_servers", "token_cache_time", "memcache_security_strategy"),
    *("memcache_secret_key", "memcache_pool_dead_retry", "memcache_pool_maxsize"),
    *("memcache_pool_socket_timeout", "memcache_pool_unused_timeout"),
    *("memcache_pool_conn_get_timeout", "memcache_use_advanced_pool"),
)
# Likewise in the section of an issuer.
_ISSUER_NAMES: Final = {
    "introspect_endpoint": "introspection_endpoint",
    "audience": "assertion_audience",
    "jwt_bearer_time_out": "assertion_lifetime",
    **{
        name: name
        for name in ("auth_method", "client_id", "client_secret", "jwt_key_file", "jwt_algorithm")
    },
}
_NEEDED: Final = {
    "introspect_endpoint": "this filter needs it",
    "audience": "this filter needs it",
    "client_id": "this filter needs it",
    "mapping_roles": "a token without roles would be refused",
}
_MAPPED: Final = (
    *("user_id", "user_name", "user_domain_id", "user_domain_name", "roles", "system_scope"),
    *("project_id", "project_name", "project_domain_id", "project_domain_name"),
)

OAUTH2_OPTIONS: tuple[cfg.Opt, ...] = (
    StrOpt("introspect_endpoint", help="Where the authorization server is asked about tokens."),
    StrOpt(
        "audience",
        help="Whom assertions are for, with private_key_jwt and client_secret_jwt: usually the URL "
        "of the authorization server's token endpoint.",
    ),
    StrOpt(
        "auth_method",
        default="client_secret_basic",
        help="How this service authenticates itself: client_secret_basic, client_secret_post, "
        "client_secret_jwt, private_key_jwt or tls_client_auth.",
    ),
    StrOpt("client_id", help="The id that the authorization server knows this service by."),
    StrOpt("client_secret", secret=True, help="The secret of client_id."),
    BoolOpt(
        "thumbprint_verify",
        default=False,
        help="Whether every token must be bound to the certificate of its TLS client (RFC 8705).",
    ),
    StrOpt("jwt_key_file", help="PEM file with the key that signs assertions."),
    StrOpt("jwt_algorithm", help="The algorithm of assertions."),
    IntOpt(
        "jwt_bearer_time_out",
        unit="seconds",
        min=1,
        default=3600,
        help="Seconds for which an assertion is good. Each is used once, at once.",
    ),
    StrOpt("mapping_user_id", default="client_id", help="The member with the user's id."),
    StrOpt("mapping_user_name", default="username", help="The member with the user's name."),
    StrOpt("mapping_user_domain_id", help="The member with the id of the user's domain."),
    StrOpt("mapping_user_domain_name", help="The member with the name of the user's domain."),
    StrOpt("mapping_roles", help="The member with the names of roles, joined by commas."),
    StrOpt("mapping_system_scope", help="The member that is true in system-scoped tokens."),
    StrOpt("mapping_project_id", help="The member with the id of the token's project."),
    StrOpt("mapping_project_name", help="The member with the name of the project."),
    StrOpt(
        "mapping_project_domain_id",
        help="The member with the id of the project's domain, and of the domain that a token "
        "without a project is scoped to.",
    ),
    StrOpt("mapping_project_domain_name", help="The member with the name of that domain."),
    StrOpt("mapping_expires_at", help="The member with the time of expiry, if it is not exp."),
)
_SHARED_OPTIONS: Final = tuple(
    opt for opt in (*IDENTITY_OPTIONS, *CACHE_OPTIONS) if opt.dest in _SHARED
)


def translate_external_oauth2(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of ours that do what `[ext_oauth2_auth]` says; log what is doubtful.

    Args and errors are those of `read_external_oauth2`.
    """
    options, findings = read_external_oauth2(conf)
    log_findings(findings)
    return options


def read_external_oauth2(conf: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Return the options of ours that do what `[ext_oauth2_auth]` says, and misspelt names.

    Args:
        conf: as of `authmw.config.loading.load_settings`; names in it are those of the section.

    Raises:
        ConfigurationError: an option is wrong, or one that is needed is not set.
    """
    reader = make_option_reader(conf)
    shared = reader.read(_SHARED_OPTIONS, GROUP)
    own = reader.read(OAUTH2_OPTIONS, GROUP)
    findings = [
        *find_option_slips(reader, [GROUP]),
        *find_section_slips(reader, [GROUP]),
    ]
    _require(own, findings)
    options = {name: value for name, value in shared.items() if value is not None}
    issuer: dict[str, Any] = {"profile": "ext-oauth2"}
    issuer |= {ours: own[theirs] for theirs, ours in _ISSUER_NAMES.items()}
    issuer |= {name: own[f"mapping_{name}"] for name in _MAPPED}
    # A token without a project is scoped to a domain, by the same members.
    issuer["domain_id"] = own["mapping_project_domain_id"]
    issuer["domain_name"] = own["mapping_project_domain_name"]
    issuer["expires_at"] = own["mapping_expires_at"]
    options |= {f"{_ISSUER}{name}": value for name, value in issuer.items() if value}
    options |= {
        # What [keystone_authtoken] says is not about this filter.
        "oslo_config_config": cfg.ConfigOpts(),
        "project": reader.project(),
        "enforce_token_bind": "x5t#S256" if own["thumbprint_verify"] else "disabled",
    }
    return options, findings


def _require(own: Mapping[str, Any], findings: list[Finding]) -> None:
    """Raise ConfigurationError for an option that is not set, naming what stands there instead."""
    for name, why in _NEEDED.items():
        if not own[name]:
            # The start ends here, and the caller gets none of them.
            log_findings(findings)
            slip = find_slip_of(name, findings)
            if slip is not None:
                why = f"{why} ({slip} stands there: is it misspelt?)"
            raise ConfigurationError(name, None, why, section=GROUP)


def name_own_option(error: ConfigurationError) -> ConfigurationError:
    """Return an error that names the option of `[ext_oauth2_auth]` which ours was made of.

    Args:
        error: about an option of the issuer that the section is read as, or of
            `[keystone_authtoken]`, of which nothing is read.
    """
    theirs = {ours: name for name, ours in _ISSUER_NAMES.items()}
    theirs |= {name: f"mapping_{name}" for name in (*_MAPPED, "expires_at")}
    option = theirs.get(error.option, error.option)
    return ConfigurationError(option, error.value, error.fix, section=GROUP)

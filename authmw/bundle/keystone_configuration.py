"""What an export has to know of Keystone's configuration, and reading it from its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from authmw.errors import BundleUnreadable

# The options that are read, with Keystone's own defaults.
_OPTIONS = {
    "DEFAULT": [cfg.StrOpt("public_endpoint")],
    "database": [cfg.StrOpt("connection", secret=True)],
    "resource": [
        cfg.StrOpt("admin_project_name"),
        cfg.StrOpt("admin_project_domain_name"),
    ],
    "trust": [cfg.IntOpt("max_redelegation_count", default=3)],
    "endpoint_filter": [cfg.BoolOpt("return_all_endpoints_if_no_filter", default=True)],
    "security_compliance": [cfg.IntOpt("disable_user_account_days_inactive")],
    "federation": [cfg.IntOpt("default_authorization_ttl", default=0)],
    "token": [cfg.IntOpt("expiration", default=3600)],
    "revoke": [cfg.IntOpt("expiration_buffer", default=1800)],
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What Keystone's configuration file says that its database does not.

    Attributes:
        settings: rows of the table `settings`; see `authmw.bundle.facts.SETTINGS`.
        inactive_days: `[security_compliance] disable_user_account_days_inactive`.
        membership_minutes: `[federation] default_authorization_ttl`.
    """

    settings: Mapping[str, Any]
    inactive_days: int | None = None
    membership_minutes: int = 0


@dataclass(frozen=True, slots=True)
class KeystoneConfiguration:
    """What was read.

    Attributes:
        database_url: `[database] connection`; it may hold a password.
        facts: what the facts need.
        event_seconds: for how long Keystone keeps a revocation event at least.
    """

    database_url: str | None
    facts: Configuration
    event_seconds: int


def read_keystone_configuration(paths: Sequence[str]) -> KeystoneConfiguration:
    """Read Keystone's configuration files; a later one overrides those before it.

    Raises:
        BundleUnreadable: a file can't be read, or an option has another type; names it.
    """
    conf = cfg.ConfigOpts()
    for group, options in _OPTIONS.items():
        conf.register_opts(options, group=None if group == "DEFAULT" else group)
    try:
        conf([], project="keystone", default_config_files=list(paths), default_config_dirs=[])
        return _convert(conf)
    except (cfg.Error, ValueError) as error:
        raise BundleUnreadable(f"Keystone's configuration can't be read: {error}") from None


def _convert(conf: Any) -> KeystoneConfiguration:
    settings: dict[str, Any] = {
        "max_redelegation_count": conf.trust.max_redelegation_count,
        "return_all_endpoints_if_no_filter": conf.endpoint_filter.return_all_endpoints_if_no_filter,
    }
    name, domain_name = conf.resource.admin_project_name, conf.resource.admin_project_domain_name
    if name is not None and domain_name is not None:
        settings["admin_project"] = {"name": name, "domain_name": domain_name}
    if conf.public_endpoint is not None:
        settings["url_substitutions"] = {"public_endpoint": conf.public_endpoint}
    return KeystoneConfiguration(
        conf.database.connection,
        Configuration(
            settings,
            inactive_days=conf.security_compliance.disable_user_account_days_inactive,
            membership_minutes=conf.federation.default_authorization_ttl,
        ),
        conf.token.expiration + conf.revoke.expiration_buffer,
    )

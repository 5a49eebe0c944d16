"""From what paste or a service hands over to checked `Settings`."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from oslo_config import cfg

from authmw.config.auth_plugin import read_auth_options
from authmw.config.lookup import Lookup, open_lookup, user_agent
from authmw.config.options import OPTIONS
from authmw.config.rules import verify_settings
from authmw.config.settings import Settings, Validation
from authmw.config.types import describe_type
from authmw.errors import ConfigurationError
from authmw.jose.algorithms import canonical_algorithm

__all__ = ["Settings", "load_settings"]

LOG = logging.getLogger(__name__)

# The catalog's old names for interfaces are still found in configurations.
_INTERFACES = {
    name + suffix.lower(): name
    for name in ("internal", "public", "admin")
    for suffix in ("", "URL")
}
# A service may hand over its whole [DEFAULT]: hundreds of names, none of them a mistake.
_MOST_NAMES_LOGGED = 20


def load_settings(conf: Mapping[str, object]) -> Settings:
    """Read, convert and check every option of a filter.

    A name found in `conf` wins over the oslo.config object (`authmw.config.lookup.open_lookup`).
    Unknown names are logged once, with the nearest known one.

    Args:
        conf: paste's global and local configuration merged, values as texts; or what a service
            hands to `AuthMiddleware(app, conf)`, values maybe typed. It is not changed.

    Raises ConfigurationError, naming option, value and fix, for a value of a wrong type or out
    of range, for options that contradict each other and for an `auth_type` not installed.
    """
    lookup = open_lookup(conf)
    # One place without types: a test keeps the table and the dataclass alike.
    values: dict[str, Any] = {opt.dest: _read(lookup, opt) for opt in OPTIONS}
    values["interface"] = _parse_interface(values["interface"])
    strategy = values["memcache_security_strategy"].upper()
    values["memcache_security_strategy"] = None if strategy == "NONE" else strategy
    values["token_validation"] = Validation(values["token_validation"])
    values["jws_accepted_algorithms"] = _parse_algorithms(values["jws_accepted_algorithms"])
    values["token_cache_time"] = max(0, values["token_cache_time"])
    settings = Settings(
        auth=read_auth_options(lookup), user_agent=user_agent(lookup.project()), **values
    )
    for warning in verify_settings(settings):
        LOG.warning("[keystone_authtoken] %s", warning)
    for old, new in lookup.deprecated_names_in_use().items():
        LOG.warning("Option %s is deprecated; write %s.", old, new)
    _warn_unknown(lookup)
    return settings


def _read(lookup: Lookup, opt: cfg.Opt) -> object:
    value = lookup.read(opt)
    if isinstance(opt, cfg.ListOpt):
        return tuple(item for item in value or () if item)
    if isinstance(opt, cfg.DictOpt):
        return MappingProxyType(dict(value or {}))
    if value is None or value == "":
        if opt.default is not None:
            raise ConfigurationError(
                opt.name, "", f"remove the line, or write {describe_type(opt.type)}"
            )
        return None
    return value


def _parse_interface(written: str) -> str:
    try:
        return _INTERFACES[written.lower()]
    except KeyError:
        raise ConfigurationError("interface", written, "write internal, public or admin") from None


def _parse_algorithms(written: tuple[str, ...]) -> tuple[str, ...]:
    """Replace other names of an algorithm; both names of one may be written."""
    names = {name: canonical_algorithm(name) for name in written}
    return tuple(
        names[name] for name in written if names[name] == name or names[name] not in written
    )


def _warn_unknown(lookup: Lookup) -> None:
    """Log the names that mean nothing to us in one line, likely slips first."""
    unknown = lookup.unknown_names()
    if not unknown:
        return
    known = sorted(lookup.known_names())
    slips: list[str] = []
    others: list[str] = []
    for name in unknown:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            slips.append(f"{name} (did you mean {near[0]}?)")
        else:
            others.append(name)
    room = max(0, _MOST_NAMES_LOGGED - len(slips))
    shown = slips + others[:room]
    if len(others) > room:
        shown.append(f"and {len(others) - room} more")
    LOG.warning("Options not known to authmw, ignored: %s", ", ".join(shown))

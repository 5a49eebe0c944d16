"""Turns the configuration of paste or of a service into checked `Settings`."""

from __future__ import annotations

import importlib.metadata
import logging
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from oslo_config import cfg

from authmw.config.auth_plugin import read_auth_options
from authmw.config.doubts import find_doubtful
from authmw.config.findings import Finding
from authmw.config.issuers import read_issuers
from authmw.config.option_reader import OptionReader, make_option_reader
from authmw.config.options import DEFAULT_ALGORITHMS, OPTIONS
from authmw.config.rules import verify_settings
from authmw.config.settings import Settings, Validation
from authmw.config.slips import find_option_slips, find_section_slips, find_slip_of
from authmw.config.types import describe_type
from authmw.errors import ConfigurationError

__all__ = ["Settings", "load_settings"]

LOG = logging.getLogger(__name__)

# Configurations still use the catalog's old names for interfaces.
_INTERFACES = {
    name + suffix.lower(): name
    for name in ("internal", "public", "admin")
    for suffix in ("", "URL")
}
_NOT_IN_PRODUCT = r"[^A-Za-z0-9._+-]"


def load_settings(conf: Mapping[str, object]) -> Settings:
    """Read, convert and check every option of a filter; log what is doubtful.

    Args:
        conf: as of `read_settings`.

    Raises:
        ConfigurationError: as of `read_settings`.
    """
    settings, findings = read_settings(conf)
    log_findings(findings)
    return settings


def log_findings(findings: Iterable[Finding]) -> None:
    """Log each finding on a line of its own."""
    for finding in findings:
        LOG.log(logging.ERROR if finding.level == "fail" else logging.WARNING, "%s", finding)


def read_settings(conf: Mapping[str, object]) -> tuple[Settings, list[Finding]]:
    """Read, convert and check every option of a filter.

    A name found in `conf` wins over the oslo.config object (`option_reader.make_option_reader`).

    Args:
        conf: paste's global and local configuration merged, with values as text; or the mapping
            that a service passes to `AuthMiddleware(app, conf)`, whose values may be typed.

    Returns the settings, and what probably is not meant: among others unknown names with the
    nearest known one.

    Raises:
        ConfigurationError: a value has a wrong type or is out of range, options contradict each
            other, or the plugin `auth_type` is not installed.
    """
    reader = make_option_reader(conf)
    # Untyped only here: a test keeps the option table and the dataclass in step.
    values = _read_options(reader)
    values["interface"] = _parse_interface(values["interface"])
    strategy = values["memcache_security_strategy"].upper()
    values["memcache_security_strategy"] = None if strategy == "NONE" else strategy
    values["token_validation"] = Validation(values["token_validation"])
    if values["jws_accepted_algorithms"] != DEFAULT_ALGORITHMS:
        values["jws_accepted_algorithms"] = _parse_algorithms(values["jws_accepted_algorithms"])
    values["token_cache_time"] = max(0, values["token_cache_time"])
    issuers = read_issuers(
        reader,
        skew_seconds=values["clock_skew_tolerance"],
        has_admin_project=values["admin_project_name"] is not None,
    )
    if values["accept_bearer"] is None:
        values["accept_bearer"] = bool(issuers)
    asks_nobody = (
        values["token_validation"] is Validation.OFFLINE
        and "identity" not in values["jws_authority"]
    )
    settings = Settings(
        auth=read_auth_options(reader, is_expected=not (issuers or asks_nobody)),
        user_agent=_make_user_agent(reader.project()),
        issuers=issuers,
        **values,
    )
    sections = reader.sections_read()
    findings = [
        *reader.findings,
        *(
            Finding("warn", old, f"{old} is deprecated", f"write {new}")
            for old, new in reader.deprecated_names_in_use().items()
        ),
        *find_option_slips(reader, sections),
        *find_section_slips(reader, sections),
    ]
    try:
        verify_settings(settings)
    except ConfigurationError as error:
        slip = find_slip_of(error.option, findings)
        if slip is None:
            raise
        # The log does not have the findings, as the start ends here.
        raise ConfigurationError(
            error.option, error.value, f"{error.fix} ({slip} stands there: is it misspelt?)"
        ) from None
    return settings, [*findings, *find_doubtful(settings)]


def _read_options(reader: OptionReader) -> dict[str, Any]:
    values = reader.read(OPTIONS)
    for opt in OPTIONS:
        value = values[opt.dest]
        if isinstance(opt, cfg.ListOpt):
            values[opt.dest] = tuple(filter(None, value or ()))
        elif isinstance(opt, cfg.DictOpt):
            values[opt.dest] = MappingProxyType(dict(value or {}))
        elif value is None or value == "":
            if opt.default is not None:
                raise ConfigurationError(
                    opt.name, "", f"remove the line, or write {describe_type(opt.type)}"
                )
            values[opt.dest] = None
    return values


def _parse_interface(written: str) -> str:
    try:
        return _INTERFACES[written.lower()]
    except KeyError:
        raise ConfigurationError("interface", written, "write internal, public or admin") from None


def _parse_algorithms(written: tuple[str, ...]) -> tuple[str, ...]:
    """Replace aliases of algorithms; an algorithm may be given under both names."""
    # Imported here: without this option, remote validation does not load `jose`.
    from authmw.jose.algorithms import canonical_algorithm

    names = {name: canonical_algorithm(name) for name in written}
    return tuple(
        names[name] for name in written if names[name] == name or names[name] not in written
    )


def _make_user_agent(project: str | None) -> str:
    """Return the User-Agent for calls to the identity service: `nova/30.0.0 authmw/1.0.0`."""
    ours = f"authmw/{_find_version('authmw')}"
    if not project:
        return ours
    return f"{re.sub(_NOT_IN_PRODUCT, '_', project)}/{_find_version(project)} {ours}"


def _find_version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return "unknown"

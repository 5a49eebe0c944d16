"""Where one option's value comes from: paste overrides first, then an oslo.config object.

The only code that touches oslo.config. Services rely on finding our options on their own
conf afterwards, so options are registered there, one at a time, and nothing is ever set.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
from collections.abc import Mapping
from typing import Any

import oslo_config.cfg
from oslo_config.cfg import (
    ConfigOpts,
    DuplicateOptError,
    Error,
    NoSuchGroupError,
    NoSuchOptError,
    Opt,
    TemplateSubstitutionError,
)

from authmw.config.options import GROUP, list_opts
from authmw.config.types import describe_type
from authmw.errors import ConfigurationError

# What paste, and services that call the factory, put beside the options.
_NOT_OPTIONS = frozenset({"here", "__file__", "configkey", "log_name", "project"})
_QUOTED_AT_END = re.compile(r"""('[^']*'|"[^"]*")$""")
_NOT_IN_PRODUCT = re.compile(r"[^A-Za-z0-9._+-]")


class Lookup:
    """Reads options by name; remembers which paste names nobody asked for.

    Args:
        paste: overrides by option name, as texts from a paste file or typed by a service.
        conf: the oslo.config object for everything else; options missing on it are
            registered, no value is ever set.
    """

    def __init__(self, paste: Mapping[str, object], conf: ConfigOpts) -> None:
        self._paste = paste
        self._conf = conf
        self._known: set[str] = set()
        self._deprecated_in_use: dict[str, str] = {}

    def read(self, opt: Opt, group: str = GROUP) -> Any:
        """Return the option's value, of the option's type; None where it is unset.

        Raises ConfigurationError if what is written there does not fit the type.
        """
        _register(self._conf, opt, group)
        names = list(dict.fromkeys([opt.dest, opt.name, opt.name.replace("-", "_")]))
        old_names = [old.name for old in opt.deprecated_opts if old.name]
        self._known.update(names, old_names)
        for name in names + old_names:
            if name in self._paste:
                # None is "unset", which an option with a default cannot be.
                if self._paste[name] is None and opt.default is not None:
                    continue
                if name in old_names:
                    self._deprecated_in_use[name] = opt.name
                return _convert(opt, name, self._paste[name])
        return self._read_conf(opt, group)

    def _read_conf(self, opt: Opt, group: str) -> Any:
        try:
            value = self._conf[group][opt.dest]
        except (TemplateSubstitutionError, NoSuchOptError, NoSuchGroupError):
            raise ConfigurationError(
                opt.name,
                "***" if opt.secret else "$...",
                f"the value in [{group}] refers to an option that does not exist; "
                "write $$ for a dollar sign",
            ) from None
        except (Error, ValueError) as exc:
            raise _unfit(opt, _refused_value(exc), group) from None
        return _convert(opt, opt.name, value, group)

    def unknown_names(self) -> list[str]:
        """Return the paste names that no option read so far has, sorted."""
        return sorted(
            name
            for name in self._paste
            if name not in self._known
            and name not in _NOT_OPTIONS
            and not name.startswith("paste.")
        )

    def known_names(self) -> frozenset[str]:
        """Return the names of all options read so far, deprecated ones included."""
        return frozenset(self._known)

    def deprecated_names_in_use(self) -> dict[str, str]:
        """Return the deprecated names found in paste, each with the one to write."""
        return dict(self._deprecated_in_use)

    def project(self) -> str | None:
        """Return the service's name: paste `project`, that option in our group, or conf.project."""
        named = self._paste.get("project")
        if named is None:
            try:
                named = self._conf[GROUP]["project"]
            except (NoSuchOptError, NoSuchGroupError, KeyError):
                # Set by calling the conf; before that, asking is an error.
                named = getattr(self._conf, "project", None)
        return str(named) if named else None


def open_lookup(conf: Mapping[str, object]) -> Lookup:
    """Choose the oslo.config object that goes with a filter's configuration.

    It is `oslo_config_config` (an object); else one made for `oslo_config_project`, from
    `oslo_config_file` or where oslo.config finds that project's files; else whatever
    `oslo_config.cfg.CONF` is now, since services rebind that name.

    Args:
        conf: paste's global and local configuration merged, or what a service hands over; not
            changed.

    Raises ConfigurationError if the object is none or the file can't be read.
    """
    paste = dict(conf)
    given = paste.pop("oslo_config_config", None)
    project = paste.pop("oslo_config_project", None)
    file = paste.pop("oslo_config_file", None)
    if given is not None:
        if isinstance(given, str) or not hasattr(given, "register_opt"):
            raise ConfigurationError(
                "oslo_config_config",
                given if isinstance(given, str) else type(given).__name__,
                "pass a ConfigOpts object from Python; in a paste file write "
                "oslo_config_project or oslo_config_file",
            )
        return Lookup(paste, given)  # type: ignore[arg-type]
    if project:
        return Lookup(paste, _load_project(str(project), str(file) if file else None))
    if file:
        raise ConfigurationError(
            "oslo_config_file", file, "it is read for a project only: add oslo_config_project"
        )
    return Lookup(paste, oslo_config.cfg.CONF)


def register_options(conf: ConfigOpts) -> None:
    """Register every option of `[keystone_authtoken]` but those of the auth plugin."""
    for group, options in list_opts():
        for opt in options:
            _register(conf, opt, group)


def _register(conf: ConfigOpts, opt: Opt, group: str) -> None:
    # One that exists is the service's own, or another library's: read as it is.
    with contextlib.suppress(DuplicateOptError):
        conf.register_opt(opt, group=group)


def find_service_conf(conf: Mapping[str, object]) -> object | None:
    """Return the service's own oslo.config object, where a filter's options are read from it.

    None for `oslo_config_project`, which makes one that nobody else has. For `conf` see
    `open_lookup`, which has found no fault with it.
    """
    given = conf.get("oslo_config_config")
    if given is not None:
        return given
    return None if conf.get("oslo_config_project") else oslo_config.cfg.CONF


def _load_project(project: str, file: str | None) -> ConfigOpts:
    conf = ConfigOpts()
    try:
        conf([], project=project, default_config_files=[file] if file else None)
    except Error as exc:
        raise ConfigurationError(
            "oslo_config_file" if file else "oslo_config_project",
            file or project,
            f"name a configuration file that can be read ({exc})",
        ) from exc
    return conf


def user_agent(project: str | None) -> str:
    """Return the User-Agent for calls to the identity service: `nova/30.0.0 authmw/1.0.0`."""
    ours = f"authmw/{_version_of('authmw')}"
    if not project:
        return ours
    return f"{_NOT_IN_PRODUCT.sub('_', project)}/{_version_of(project)} {ours}"


def _version_of(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return "unknown"


def _convert(opt: Opt, name: str, value: object, group: str = GROUP) -> Any:
    if value is None:
        return None
    try:
        return opt.type(value)
    except (ValueError, TypeError, AttributeError):
        raise _unfit(opt, value, group, name) from None


def _unfit(opt: Opt, value: object, group: str, name: str | None = None) -> ConfigurationError:
    """Make the error for a value that is not of the option's type, without its secret."""
    where = "" if group == GROUP else f" in [{group}]"
    return ConfigurationError(
        name or opt.name, "***" if opt.secret else value, f"write {describe_type(opt.type)}{where}"
    )


def _refused_value(error: Exception) -> str:
    """Find what was written in a message of oslo.config, which quotes it at the end."""
    quoted = _QUOTED_AT_END.search(str(error))
    return quoted[1][1:-1] if quoted else str(error)

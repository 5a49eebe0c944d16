"""Reads option values: paste overrides first, then an oslo.config object.

This module alone reads oslo.config. Services expect to find our options on their own conf
afterwards, so each missing option is registered there; no value is ever set.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping
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

from authmw.config.findings import Finding
from authmw.config.options import GROUP, list_opts
from authmw.config.texts import find_odd_text
from authmw.config.types import describe_type
from authmw.errors import HIDDEN, ConfigurationError

# Names that paste, and services that call the factory, pass beside the options.
_NOT_OPTIONS = frozenset({"here", "__file__", "configkey", "log_name", "project"})
# Compiled at first use: only errors need it.
_QUOTED_AT_END = r"""('[^']*'|"[^"]*")$"""


class OptionReader:
    """Reads options by name and remembers which options were read.

    Args:
        overrides: values by option name: text from a paste file, or typed by a service.
        conf: the oslo.config object that holds all other values.

    Attributes:
        findings: what whoever reads options found doubtful about them.
    """

    def __init__(self, overrides: Mapping[str, object], conf: ConfigOpts) -> None:
        self._overrides = overrides
        self._conf = conf
        self._known: dict[str, set[str]] = {}
        self._read_as_overrides_alone: dict[str, set[str]] = {}
        self.findings: list[Finding] = []
        self._deprecated_in_use: dict[str, str] = {}

    def read(self, opts: Collection[Opt], group: str = GROUP) -> dict[str, Any]:
        """Return the values of options by `dest`, of each option's type; None if unset.

        Options that the conf lacks are registered in `group`.

        Raises:
            ConfigurationError: a value does not fit the type of its option.
        """
        register(self._conf, opts, group)
        section = self._conf[group]
        known = self._known.setdefault(group, set())
        values = {}
        for opt in opts:
            names = [opt.dest, opt.name, opt.name.replace("-", "_")]
            old_opts = opt.deprecated_opts
            old_names = [old.name for old in old_opts if old.name] if old_opts else []
            if opt.name != opt.dest and opt.name not in old_names:
                self._read_as_overrides_alone.setdefault(group, set()).add(opt.name)
            names += old_names
            known.update(names)
            name = None
            if not self._overrides.keys().isdisjoint(names):
                name = self._find_override(opt, names)
            if name is not None:
                values[opt.dest] = _convert(opt, name, self._overrides[name])
                self._inspect(opt, values[opt.dest], group)
                continue
            try:
                value = section[opt.dest]
            except (TemplateSubstitutionError, NoSuchOptError, NoSuchGroupError):
                raise _make_reference_error(opt, group) from None
            except (Error, ValueError) as error:
                raise _make_type_error(opt, _find_refused_value(error), group) from None
            # The conf may hold another library's option of this name, of a looser type.
            if value != opt.default or type(value) is not type(opt.default):
                value = _convert(opt, opt.name, value, group)
                self._inspect(opt, value, group)
            values[opt.dest] = value
        return values

    def _inspect(self, opt: Opt, value: object, group: str) -> None:
        found = find_odd_text(opt.dest, value, is_secret=opt.secret, section=group)
        if found is not None:
            self.findings.append(found)

    def _find_override(self, opt: Opt, names: list[str]) -> str | None:
        """Return the first of these names that has an override to use."""
        for name in names:
            # An override of None means unset, which an option with a default cannot be.
            if name in self._overrides and not (
                self._overrides[name] is None and opt.default is not None
            ):
                if name not in (opt.dest, opt.name, opt.name.replace("-", "_")):
                    self._deprecated_in_use[name] = opt.name
                return name
        return None

    def split_off(self, prefix: str) -> OptionReader:
        """Return a reader of those overrides whose names begin with a prefix, without it.

        This reader does not have them any more. The conf and the findings are the same.
        """
        mine: dict[str, object] = {}
        split: dict[str, object] = {}
        for name, value in self._overrides.items():
            if name.startswith(prefix):
                split[name.removeprefix(prefix)] = value
            else:
                mine[name] = value
        self._overrides = mine
        reader = OptionReader(split, self._conf)
        reader.findings = self.findings
        return reader

    def override_names(self) -> list[str]:
        """Return the names of all overrides."""
        return list(self._overrides)

    def sections_read(self) -> list[str]:
        """Return the names of the sections whose options were read."""
        return list(self._known)

    def list_sections(self) -> list[str]:
        """Return the names of all sections in the configuration files, sorted."""
        # A service may pass an object that only looks like oslo.config's.
        list_all = getattr(self._conf, "list_all_sections", None)
        return [] if list_all is None else list(list_all())

    def unknown_names_in(self, section: str) -> list[str]:
        """Return the names in a section of the files that name no option read there, sorted."""
        written = {name for file in self._list_written(section) for name in file}
        # There oslo.config reads user_domain_id, and not its name, which is user-domain-id.
        read = self.known_names(section) - self._read_as_overrides_alone.get(section, set())
        return sorted(written - read)

    def repeated_names_in(self, section: str) -> list[str]:
        """Return the options read that stand in one file more than once, with other values."""
        return sorted(
            name
            for file in self._list_written(section)
            for name, texts in file.items()
            if len(set(texts)) > 1 and name in self.known_names(section)
        )

    def _list_written(self, section: str) -> list[Mapping[str, list[str]]]:
        """Return what stands in a section: for each file the texts by name."""
        # oslo.config does not offer the names of what nobody registered.
        namespace = getattr(self._conf, "_mutable_ns", None) or getattr(
            self._conf, "_namespace", None
        )
        # It finds sections in any case.
        name = section if section == "DEFAULT" else section.lower()
        return [file[name] for file in getattr(namespace, "_normalized", ()) if name in file]

    def is_registered(self, section: str, name: str | None = None) -> bool:
        """Tell whether anyone registered a section, or an option of this name in it."""
        try:
            return section in self._conf and (name is None or name in self._conf[section])
        except (TypeError, NoSuchGroupError):  # of an object that only looks like oslo.config's
            return False

    def unknown_names(self) -> list[str]:
        """Return the overrides that name no option read so far, sorted."""
        known = self.known_names()
        return sorted(
            name
            for name in self._overrides
            if name not in known and name not in _NOT_OPTIONS and not name.startswith("paste.")
        )

    def known_names(self, section: str | None = None) -> frozenset[str]:
        """Return the names of all options read so far, deprecated ones included.

        Args:
            section: whose options alone are meant; None: those of all sections.
        """
        if section is not None:
            return frozenset(self._known.get(section, ()))
        return frozenset().union(*self._known.values())

    def deprecated_names_in_use(self) -> dict[str, str]:
        """Return the deprecated names among the overrides, each with its replacement."""
        return dict(self._deprecated_in_use)

    def project(self) -> str | None:
        """Return the service's name: override `project`, that option in our group, or conf.project.

        None if the service has none.
        """
        named = self._overrides.get("project")
        if named is None:
            try:
                named = self._conf[GROUP]["project"]
            except (NoSuchOptError, NoSuchGroupError, KeyError):
                # Only a conf that was called has the attribute.
                named = getattr(self._conf, "project", None)
        return str(named) if named else None


def make_option_reader(conf: Mapping[str, object]) -> OptionReader:
    """Return the reader for one filter, over the oslo.config object that its configuration names.

    That object is `oslo_config_config`; else a new one for `oslo_config_project`, read from
    `oslo_config_file` or from where oslo.config finds that project's files; else the current
    `oslo_config.cfg.CONF`, looked up now because services rebind that name.

    Args:
        conf: paste's global and local configuration merged, or what a service hands over; not
            changed.

    Raises:
        ConfigurationError: the object is no ConfigOpts, or the file cannot be read.
    """
    overrides = dict(conf)
    given = overrides.pop("oslo_config_config", None)
    project = overrides.pop("oslo_config_project", None)
    file = overrides.pop("oslo_config_file", None)
    if given is not None:
        if isinstance(given, str) or not hasattr(given, "register_opt"):
            raise ConfigurationError(
                "oslo_config_config",
                given if isinstance(given, str) else type(given).__name__,
                "pass a ConfigOpts object from Python; in a paste file write "
                "oslo_config_project or oslo_config_file",
            )
        return OptionReader(overrides, given)  # type: ignore[arg-type]
    if project:
        return OptionReader(overrides, _load_project(str(project), str(file) if file else None))
    if file:
        raise ConfigurationError(
            "oslo_config_file", file, "it is read for a project only: add oslo_config_project"
        )
    return OptionReader(overrides, oslo_config.cfg.CONF)


def register_options(conf: ConfigOpts) -> None:
    """Register every option of `[keystone_authtoken]` except those of the auth plugin."""
    for group, options in list_opts():
        register(conf, options, group)


def register(conf: ConfigOpts, opts: Collection[Opt], group: str) -> None:
    """Register the options that a conf lacks; one that it has stays, even another library's."""
    has_group = group in conf
    for opt in opts:
        if not (has_group and opt.dest in conf[group]):
            with contextlib.suppress(DuplicateOptError):
                conf.register_opt(opt, group=group)


def find_service_conf(conf: Mapping[str, object]) -> object | None:
    """Return the service's own oslo.config object, if a filter reads its options from it.

    None with `oslo_config_project`, for which the filter makes its own object. `conf` is what
    `make_option_reader` accepted.
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


def _convert(opt: Opt, name: str, value: object, group: str = GROUP) -> Any:
    if value is None:
        return None
    try:
        return opt.type(value)
    except (ValueError, TypeError, AttributeError):
        raise _make_type_error(opt, value, group, name) from None


def _make_reference_error(opt: Opt, group: str) -> ConfigurationError:
    """Return the error for a value that refers to a missing option."""
    return ConfigurationError(
        opt.name,
        HIDDEN if opt.secret else "$...",
        "the value refers to an option that does not exist; write $$ for a dollar sign",
        section=group,
    )


def _make_type_error(
    opt: Opt, value: object, group: str, name: str | None = None
) -> ConfigurationError:
    """Return the error for a value that does not fit the option's type; hides a secret."""
    return ConfigurationError(
        name or opt.name,
        HIDDEN if opt.secret else value,
        f"write {describe_type(opt.type)}",
        section=group,
    )


def _find_refused_value(error: Exception) -> str:
    """Return the value that a message of oslo.config quotes at its end."""
    quoted = re.search(_QUOTED_AT_END, str(error))
    return quoted[1][1:-1] if quoted else str(error)

"""Reads the configuration of a service as its filter gets it: files, and a section of a paste file.

The result is the mapping that paste hands to `authmw.filter_factory`.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from authmw.errors import ConfigurationError

_FILTERS = ("filter:", "filter-app:", "app:", "")
_MOST_LINKS = 10
_OF_THE_FILE = ("here", "__file__")  # set for every section
_FACTORIES = ("paste.filter_factory", "paste.app_factory", "use")


@dataclass(frozen=True, slots=True)
class Source:
    """The configuration of one filter.

    Attributes:
        conf: the options by name, and `oslo_config_config`.
        factory: what the paste section names as the filter; None: there is no paste section.
        described: the files, for people.
    """

    conf: Mapping[str, Any]
    factory: str | None
    described: str


def read_source(config_files: Sequence[str], paste: str | None) -> Source:
    """Read configuration files, and a paste file's section whose options override them.

    Args:
        config_files: of the service, in the order in which it reads them.
        paste: `FILE#SECTION`; None: none. The section's name may lack `filter:`.

    Raises:
        ConfigurationError: a file or section can't be read.
    """
    described = [os.path.abspath(file) for file in config_files]
    options: dict[str, Any] = {}
    factory = None
    if paste is not None:
        factory, options = _read_paste(paste)
        described.append(paste)
    if config_files or not options.get("oslo_config_project"):
        options["oslo_config_config"] = _read_files(config_files)
    return Source(options, factory, ", ".join(described))


def _read_files(files: Sequence[str]) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    try:
        conf([], default_config_files=list(files), default_config_dirs=[])
    except cfg.Error as error:
        raise ConfigurationError(
            "--config-file", ", ".join(files), f"name a file that can be read ({error})"
        ) from error
    return conf


def _read_paste(written: str) -> tuple[str, dict[str, Any]]:
    """Return the factory and the options of a section, as paste.deploy reads them."""
    path, _, section = written.partition("#")
    path = os.path.abspath(path)
    defaults = {"here": os.path.dirname(path).replace("%", "%%"), "__file__": path}
    parser = configparser.ConfigParser(defaults, strict=False, delimiters=("=", ":"))
    parser.optionxform = str  # type: ignore[assignment,method-assign] # paste keeps the case
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
        if not section:
            section = _find_filter(parser, written)
        return _read_section(parser, section, written)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigurationError(
            "--paste", written, f"name a paste file that can be read ({_describe(error)})"
        ) from error


def _describe(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    # The other messages quote the line at fault, which may hold a password.
    return type(error).__name__


def _read_section(
    parser: configparser.ConfigParser, name: str, written: str
) -> tuple[str, dict[str, Any]]:
    globals_: dict[str, Any] = {
        option: value for option, value in parser.defaults().items() if option not in _OF_THE_FILE
    }
    local: dict[str, Any] = {}
    for _ in range(_MOST_LINKS):
        section = next(
            (prefix + name for prefix in _FILTERS if parser.has_section(prefix + name)), None
        )
        if section is None:
            there = ", ".join(one for one in parser.sections() if one.startswith("filter"))
            raise ConfigurationError(
                "--paste", written, f"there is no section [filter:{name}]; there are: {there}"
            )
        factory = ""
        for option in parser[section]:
            if option in _OF_THE_FILE:
                continue
            value = parser[section][option]
            if option in _FACTORIES:
                factory = value
            elif option.startswith("set "):
                globals_[option.removeprefix("set ").strip()] = value
            elif option.startswith("get "):
                local.setdefault(option.removeprefix("get ").strip(), globals_.get(value))
            elif option not in parser.defaults() or value != globals_.get(option):
                # Of sections that `use` another one, the first that names an option decides.
                local.setdefault(option, value)
        if not factory or ":" in factory:
            break
        name = factory
    return factory, {**globals_, **local}


def _find_filter(parser: configparser.ConfigParser, written: str) -> str:
    """Return the one section that is a filter of this kind."""
    found = [
        section.partition(":")[2]
        for section in parser.sections()
        if section.startswith("filter:")
        and any(
            word in parser[section].get(option, raw=True, fallback="")
            for option in _FACTORIES
            for word in ("authmw", "keystonemiddleware")
        )
    ]
    if len(found) != 1:
        choice = f" ({', '.join(found)})" if found else ""
        raise ConfigurationError("--paste", written, f"name the filter's section{choice}")
    return found[0]

"""What a Django project's settings say about authmw: `AUTHMW` and `AUTHMW_PERMISSIONS`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from authmw.checks.requirements import Requirement
from authmw.decorators.configuration import Configuration, find_configuration
from authmw.decorators.permissions import parse_permissions
from authmw.errors import ConfigurationError
from authmw.runtime.clock import wall_clock

_SECTION = "Django settings"


def read_configuration() -> Configuration:
    """Return the configuration that the setting AUTHMW names; nothing is built yet.

    It is the path of a configuration file, or a dict with the arguments of `authmw.protect`:
    `config_file` and options of `[keystone_authtoken]`. `clock`, which returns epoch seconds, is
    what `authmw.testing.django.protected` adds.

    Raises:
        ConfigurationError: it is missing, or neither.
    """
    value = getattr(settings, "AUTHMW", None)
    if isinstance(value, str | os.PathLike):
        return find_configuration({}, value, None)
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            "AUTHMW",
            value,
            "name a configuration file with a section [keystone_authtoken], or write a dict of"
            " its options",
            section=_SECTION,
        )
    options: dict[str, Any] = dict(value)
    for name in options:
        if name != name.lower():
            fix = f"write {name.lower()!r}: options are in lower case"
            raise ConfigurationError(f"AUTHMW[{name!r}]", None, fix, section=_SECTION)
    config_file = options.pop("config_file", None)
    config = options.pop("config", None)
    clock = options.pop("clock", wall_clock)
    if config_file is not None and config is not None:
        fix = "name a config_file or a config object, not both"
        raise ConfigurationError("AUTHMW", None, fix, section=_SECTION)
    return find_configuration(options, config_file, config, clock)


def read_permissions() -> Mapping[str, Requirement]:
    """Return what the setting AUTHMW_PERMISSIONS requires for each permission.

    Raises:
        ConfigurationError: it is no mapping of permissions to arguments of `authmw.require`.
    """
    permissions = getattr(settings, "AUTHMW_PERMISSIONS", {})
    return parse_permissions("AUTHMW_PERMISSIONS", permissions, section=_SECTION)

"""Names of permissions and what a token needs for each, as a framework's settings map them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authmw.checks.requirements import Requirement, parse_requirement
from authmw.errors import ConfigurationError

_ARGUMENTS = ("roles", "scope", "admin_project", "methods", "oauth_scope")


def parse_permissions(
    setting: str, permissions: object, *, section: str
) -> Mapping[str, Requirement]:
    """Return the requirement of each permission.

    Args:
        setting: the name of the setting, for messages.
        permissions: names of permissions, and for each the arguments of `authmw.require`.
        section: where the setting stands, for messages.

    Raises:
        ConfigurationError: it is no such mapping.
    """
    if not isinstance(permissions, Mapping):
        raise ConfigurationError(
            setting,
            type(permissions).__name__,
            'write a mapping, as {"items.add_item": {"roles": "member"}}',
            section=section,
        )
    return {
        name: _parse_one(f"{setting}[{name!r}]", required, section)
        for name, required in permissions.items()
    }


def _parse_one(setting: str, required: object, section: str) -> Requirement:
    if not isinstance(required, Mapping):
        fix = 'write the arguments of authmw.require as a mapping, as {"roles": "member"}'
        raise ConfigurationError(setting, required, fix, section=section)
    unknown = sorted(set(required) - set(_ARGUMENTS))
    if unknown:
        fix = f"{unknown[0]!r} is no argument of authmw.require: write {', '.join(_ARGUMENTS)}"
        raise ConfigurationError(setting, dict(required), fix, section=section)
    arguments: dict[str, Any] = {
        "roles": None,
        "scope": None,
        "admin_project": False,
        "methods": None,
        **required,
    }
    try:
        return parse_requirement(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(setting, dict(required), str(error), section=section) from error

"""A token as a keystoneauth1 `AccessInfo` whose missing members are None.

keystoneauth1 relies on members that Keystone's responses always have. It raises KeyError or
TypeError for another issuer's token, which may lack a domain or role ids.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from authmw.runtime.libraries import AccessInfoV3


class CallerInfo(AccessInfoV3):
    """An `AccessInfoV3` whose properties do not raise for members that the token lacks.

    `role_ids` and `role_names` are then lists without them; other properties are None or False.
    `application_credential` and `oauth2_credential` still raise KeyError, as they do in
    keystoneauth1 for every token without one.
    """

    @property
    def role_ids(self) -> list[str]:
        return self._read_roles("id")

    @property
    def role_names(self) -> list[str]:
        return self._read_roles("name")

    @property
    def system_scoped(self) -> bool:
        return bool(self.system and self.system.get("all"))

    def _read_roles(self, member: str) -> list[str]:
        # keystoneauth1 types the body as Keystone promises it.
        body: dict[str, Any] = {**self._data["token"]}
        return [role[member] for role in body.get("roles") or () if member in role]


_RAISE = frozenset({"application_credential", "oauth2_credential"})


def _none_if_missing(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(read)
    def read_or_none(info: Any) -> Any:
        try:
            return read(info)
        except (KeyError, TypeError):
            return None

    return read_or_none


def _is_public_property(member: object) -> bool:
    name = getattr(member.fget, "__name__", "_") if isinstance(member, property) else "_"
    return not name.startswith("_")


for _name, _property in inspect.getmembers(AccessInfoV3, _is_public_property):
    if _name not in vars(CallerInfo) and _name not in _RAISE:
        setattr(
            CallerInfo, _name, property(_none_if_missing(_property.fget), doc=_property.__doc__)
        )

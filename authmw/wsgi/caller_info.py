"""What a token says, in keystoneauth1's words, and None where it does not say it.

keystoneauth1 reads the members that Keystone's own answers always have, and raises KeyError or
TypeError for another issuer's token, which may lack a domain or the ids of its roles.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from authmw.runtime.libraries import AccessInfoV3


class CallerInfo(AccessInfoV3):
    """An `AccessInfoV3` whose properties never raise for what the token does not say.

    `role_ids` and `role_names` are lists then, and every other property is None or False. Two,
    `application_credential` and `oauth2_credential`, raise KeyError, as keystoneauth1 has them do
    for every token without one.
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
        # Typed by keystoneauth1 as what Keystone promises.
        body: dict[str, Any] = {**self._data["token"]}
        return [role[member] for role in body.get("roles") or () if member in role]


_RAISE = frozenset({"application_credential", "oauth2_credential"})


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(read)
    def read_if_said(info: Any) -> Any:
        try:
            return read(info)
        except (KeyError, TypeError):
            return None

    return read_if_said


def _is_public_property(member: object) -> bool:
    name = getattr(member.fget, "__name__", "_") if isinstance(member, property) else "_"
    return not name.startswith("_")


for _name, _property in inspect.getmembers(AccessInfoV3, _is_public_property):
    if _name not in vars(CallerInfo) and _name not in _RAISE:
        setattr(CallerInfo, _name, property(_or_none(_property.fget), doc=_property.__doc__))

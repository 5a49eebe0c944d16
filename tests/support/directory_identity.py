"""An identity driver for Keystone that reads users and groups from a file, as its own from LDAP.

Keystone finds it by the entry point that `directory_site.install_entry_point` writes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from keystone import exception
from keystone.identity.backends import base

from tests.support.directory_site import FILE_VARIABLE


class Directory(base.IdentityDriverBase):  # type: ignore[misc]
    """Users and groups that nobody can change."""

    def __init__(self, conf: Any = None) -> None:
        super().__init__()

    def is_domain_aware(self) -> bool:
        return False

    def generates_uuids(self) -> bool:
        return False

    @property
    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(Path(os.environ[FILE_VARIABLE]).read_text())
        return content

    def authenticate(self, user_id: str, password: str) -> dict[str, Any]:
        user = self._find("users", user_id)
        if user.pop("password") != password:
            raise AssertionError
        return user

    def get_user(self, user_id: str) -> dict[str, Any]:
        user = self._find("users", user_id)
        del user["password"]
        return user

    def get_user_by_name(self, user_name: str, domain_id: str) -> dict[str, Any]:
        for user_id, user in self._content["users"].items():
            if user["name"] == user_name:
                return self.get_user(user_id)
        raise exception.UserNotFound(user_id=user_name)

    def list_users(self, hints: Any) -> list[dict[str, Any]]:
        return [self.get_user(each) for each in self._content["users"]]

    def list_users_in_group(self, group_id: str, hints: Any) -> list[dict[str, Any]]:
        return [self.get_user(each) for each in self._content["members"].get(group_id, ())]

    def get_group(self, group_id: str) -> dict[str, Any]:
        return self._find("groups", group_id)

    def get_group_by_name(self, group_name: str, domain_id: str) -> dict[str, Any]:
        raise exception.GroupNotFound(group_id=group_name)

    def list_groups(self, hints: Any) -> list[dict[str, Any]]:
        return [self.get_group(each) for each in self._content["groups"]]

    def list_groups_for_user(self, user_id: str, hints: Any) -> list[dict[str, Any]]:
        members = self._content["members"]
        return [self.get_group(each) for each in members if user_id in members[each]]

    def check_user_in_group(self, user_id: str, group_id: str) -> None:
        if user_id not in self._content["members"].get(group_id, ()):
            raise exception.NotFound

    def _find(self, kind: str, identifier: str) -> dict[str, Any]:
        if identifier not in self._content[kind]:
            raise exception.NotFound(target=identifier)
        found = {"id": identifier, **self._content[kind][identifier]}
        extra: dict[str, Any] = {"options": {}, "password_expires_at": None}
        return {**found, **extra} if kind == "users" else found

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise exception.Forbidden(action="write to a directory")

    create_user = update_user = delete_user = change_password = _refuse
    add_user_to_group = remove_user_from_group = _refuse
    create_group = update_group = delete_group = _refuse
    reset_last_active = unset_default_project_id = _refuse

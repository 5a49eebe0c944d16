"""Who calls in these tests, as the real Keystone knows them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cached_property

from tests.support.identity_api import IdentityApi
from tests.support.identity_types import (
    SYSTEM_SCOPE,
    UNSCOPED,
    Named,
    PasswordUser,
    Scope,
    domain_scope,
    project_scope,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, and what its tokens are asked for."""

    user: PasswordUser
    scope: Scope


class People:
    """Made at first use, under names that nobody else has.

    Args:
        api: of any process of the site.
    """

    def __init__(self, api: IdentityApi) -> None:
        self._api = api

    @cached_property
    def project(self) -> Named:
        """Where everybody works; its name is one that Latin-1 can't write."""
        return self._api.create_project(f"Łódź-{uuid.uuid4().hex[:8]}")

    @cached_property
    def domain(self) -> Named:
        """A domain with nothing in it."""
        return self._api.create_domain()

    @cached_property
    def member(self) -> PasswordUser:
        """Has two roles on the project and one each on the domain and the system."""
        user = self._api.create_user(f"Zoë 東-{uuid.uuid4().hex[:8]}")
        reader = self._api.find_role("reader")
        for scope in (project_scope(self.project), domain_scope(self.domain), SYSTEM_SCOPE):
            self._api.grant(user, reader, scope)
        self._api.grant(user, self._api.find_role("member"), project_scope(self.project))
        return user

    @cached_property
    def service(self) -> PasswordUser:
        """A service's own user: the filters validate as this one."""
        return self.make_user("service")

    @cached_property
    def callers(self) -> dict[str, Caller]:
        """One for each scope a token can have; all are the member."""
        return {
            "project": Caller(self.member, project_scope(self.project)),
            "domain": Caller(self.member, domain_scope(self.domain)),
            "system": Caller(self.member, SYSTEM_SCOPE),
            "unscoped": Caller(self.member, UNSCOPED),
        }

    def make_user(self, *roles: str) -> PasswordUser:
        """Make a user with these roles on the project."""
        user = self._api.create_user()
        for role in roles:
            self._api.grant(user, self._api.find_role(role), project_scope(self.project))
        return user

    def credentials(self, auth_url: str) -> dict[str, str]:
        """Return the options a filter needs to validate as the service user."""
        return {
            "auth_type": "password",
            "auth_url": auth_url,
            "user_id": self.service.id,
            "password": self.service.password,
            "project_id": self.project.id,
        }

"""The Keystone that everybody asks, and who is known to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from examples.real_services.services import Service
from tests.support.identity_api import IdentityApi
from tests.support.identity_types import Named, PasswordUser, project_scope
from tests.support.keystone import Keystone, KeystoneProcess

SHORT_LIFE_SECONDS = 10


class KeystoneSite(Keystone):
    """The Keystone of the tests, with a process more."""

    @cached_property
    def short_lived_jws(self) -> KeystoneProcess:
        """Issues JWS tokens that live for seconds; `jws` tells that they have expired."""
        return self._start(provider="jws", expiration_seconds=SHORT_LIFE_SECONDS)


@dataclass(frozen=True, slots=True)
class People:
    """Who sends requests.

    Attributes:
        member: has the role `member` on the project.
        neighbour: has it on another project.
        visitor: has a role on the project that no policy knows.
    """

    project: Named
    neighbours_project: Named
    member: PasswordUser
    neighbour: PasswordUser
    visitor: PasswordUser


def register_people(api: IdentityApi) -> People:
    """Make projects and users."""
    project, neighbours_project = api.create_project(), api.create_project()
    member, neighbour, visitor = (api.create_user() for _ in range(3))
    role = api.find_role("member")
    api.grant(member, role, project_scope(project))
    api.grant(neighbour, role, project_scope(neighbours_project))
    api.grant(visitor, api.create_role(), project_scope(project))
    return People(project, neighbours_project, member, neighbour, visitor)


def register_service_user(api: IdentityApi, project: Named) -> PasswordUser:
    """Make a user with the role `service`: what a filter asks Keystone as."""
    user = api.create_user()
    api.grant(user, api.find_role("service"), project_scope(project))
    return user


def register_endpoints(api: IdentityApi, service: Service, urls: Iterable[str]) -> None:
    """Put a service into the catalog."""
    entry = api.create_service(service.service_type, service.name)
    for url in urls:
        api.create_endpoint(entry, url)

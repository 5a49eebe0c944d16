"""Everything that runs: Keystone, and each service once behind each contender."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from examples.real_services.contenders import CONTENDERS
from examples.real_services.instances import Instance
from examples.real_services.keystone_site import (
    KeystoneSite,
    People,
    register_endpoints,
    register_people,
    register_service_user,
)
from examples.real_services.services import SERVICES, Service
from tests.support.identity_types import IssuedToken, Named, PasswordUser, project_scope

_AUTHTOKEN = """\
[keystone_authtoken]
www_authenticate_uri = {auth_url}
auth_url = {auth_url}
auth_type = password
username = {username}
password = {password}
user_domain_id = default
project_domain_id = default
project_name = {project_name}
{options}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the requests need to know.

    Attributes:
        service_user: one with the role that makes a service token.
        service_project: that role's project.
    """

    keystone: KeystoneSite
    people: People
    service_user: PasswordUser
    service_project: Named
    instances: tuple[Instance, ...]

    def issue_for_member(self) -> IssuedToken:
        """Return a token that nobody has seen."""
        return self.keystone.jws.api.issue(self.people.member, project_scope(self.people.project))

    def start(self) -> None:
        """Start all instances, as many at once as a small machine has cores."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Instance.start, self.instances))

    def restart(self) -> None:
        """Stop all instances and start them again."""
        with ThreadPoolExecutor(len(self.instances)) as pool:
            list(pool.map(Instance.stop, self.instances))
        self.start()


@contextlib.contextmanager
def set_up(directory: Path) -> Iterator[Stage]:
    """Make it all in this directory, and stop it all in the end."""
    with contextlib.ExitStack() as cleanup:
        keystone = KeystoneSite(directory / "keystone")
        keystone.directory.mkdir()
        cleanup.callback(keystone.stop)
        api = keystone.jws.api
        service_project = api.create_project("service")
        instances: list[Instance] = []
        for service in SERVICES:
            user = register_service_user(api, service_project)
            made = _prepare(service, directory, keystone, user, service_project)
            register_endpoints(api, service, (instance.server.url for instance in made))
            instances += made
        for instance in instances:
            cleanup.callback(instance.stop)
        people = register_people(api)
        stage = Stage(keystone, people, user, service_project, tuple(instances))
        stage.start()
        yield stage


def _prepare(
    service: Service,
    directory: Path,
    keystone: KeystoneSite,
    user: PasswordUser,
    project: Named,
) -> list[Instance]:
    instances = [
        Instance(service, contender, directory / f"{service.name}-{contender.name}")
        for contender in CONTENDERS
    ]
    for instance in instances:
        instance.configure(
            _AUTHTOKEN.format(
                auth_url=keystone.jws.auth_url,
                username=user.name,
                password=user.password,
                project_name=project.name,
                options=instance.contender.options.format(
                    public_keys=keystone.jws_public_key_repository
                ),
            )
        )
    first, *others = instances
    tables = first.make_database()
    for other in others:
        other.take_database(tables)
    return instances

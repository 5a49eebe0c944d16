"""Services behind paste pipelines on gunicorn, all of them on one real Keystone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.identity_types import IssuedToken
from tests.support.keystone import Keystone
from tests.system.servers.people import People
from tests.system.servers.servers import Server, Servers


@pytest.fixture(scope="session")
def people(keystone: Keystone) -> People:
    return People(keystone.fernet.api)


@pytest.fixture(scope="session")
def servers(
    keystone: Keystone,
    people: People,
    expiring: IssuedToken,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Servers]:
    running = Servers(tmp_path_factory.mktemp("pipeline"), keystone, people)
    yield running
    running.stop()


@pytest.fixture(params=["threads", "preload"])
def server(servers: Servers, request: pytest.FixtureRequest) -> Server:
    """Two workers with four threads each; the app is loaded after the fork or before it."""
    return servers.get(request.param)


@pytest.fixture(scope="session")
def expiring(keystone: Keystone, people: People) -> IssuedToken:
    """A token of 20 seconds, issued before all else so that nobody has to wait for its end."""
    caller = people.callers["project"]
    return keystone.short_lived.api.issue(caller.user, caller.scope)


@pytest.fixture(scope="session")
def tokens(keystone: Keystone, people: People) -> dict[str, IssuedToken]:
    """A Fernet token of each scope."""
    return {
        scope: keystone.fernet.api.issue(caller.user, caller.scope)
        for scope, caller in people.callers.items()
    }


@pytest.fixture(scope="session")
def service_token(keystone: Keystone, people: People) -> IssuedToken:
    """A service's own token, with a service role."""
    return keystone.fernet.api.issue(people.service, people.callers["project"].scope)

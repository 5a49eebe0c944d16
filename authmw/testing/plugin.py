"""The pytest plugin: fixtures for a service's tests. See doc/testing.rst.

pytest loads it wherever authmw is installed, so it imports nothing before a test uses one of its
fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from authmw.middleware import AuthMiddleware
    from authmw.testing.clock import Clock
    from authmw.testing.cloud import Cloud
    from authmw.testing.identity_server import IdentityServer
    from authmw.testing.personas import Personas


@pytest.fixture(scope="session")
def _authmw_session_cloud() -> Iterator[Cloud]:
    from authmw.testing.cloud import Cloud

    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def authmw_cloud(_authmw_session_cloud: Cloud) -> Cloud:
    """A cloud for this test: expire, revoke, outage, and all of the below."""
    _authmw_session_cloud.reset()
    return _authmw_session_cloud


@pytest.fixture
def authmw_identity(authmw_cloud: Cloud) -> IdentityServer:
    """The identity server: its directory, its faults, what it was asked."""
    return authmw_cloud.identity


@pytest.fixture
def authmw_clock(authmw_cloud: Cloud) -> Clock:
    """The time, for the identity server and the filters of `authmw_protect`."""
    return authmw_cloud.clock


@pytest.fixture
def authmw_personas(authmw_cloud: Cloud) -> Personas:
    """Whoever calls: `authmw_personas.project_member("inventory").headers`."""
    return authmw_cloud.personas


@pytest.fixture
def authmw_options(authmw_cloud: Cloud) -> dict[str, str]:
    """Options for a filter that the service builds itself, by name."""
    return authmw_cloud.options


@pytest.fixture
def authmw_protect(authmw_cloud: Cloud) -> Callable[..., AuthMiddleware]:
    """Put the middleware in front of a WSGI app: `authmw_protect(app, **options)`."""

    def protect(app: Any, **options: Any) -> AuthMiddleware:
        return authmw_cloud.protect(app, **options)

    return protect

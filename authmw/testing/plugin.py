"""The pytest plugin: fixtures for a service's tests. See doc/testing.rst.

pytest loads it wherever authmw is installed, so it imports nothing before a test uses one of its
fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from authmw.testing.clock import Clock
    from authmw.testing.cloud import Cloud, Protect
    from authmw.testing.identity_server import IdentityServer
    from authmw.testing.personas import Personas


@pytest.fixture(scope="session")
def _authmw_session_cloud() -> Iterator[Cloud]:
    from authmw.testing.cloud import Cloud

    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def authmw_cloud(_authmw_session_cloud: Cloud) -> Iterator[Cloud]:
    """A cloud for this test: expire, revoke, outage, and all of the below."""
    yield _authmw_session_cloud
    # After the test: its filters have threads, which would go on in tests that use no cloud.
    _authmw_session_cloud.reset()


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
def authmw_protect(authmw_cloud: Cloud) -> Protect:
    """Put the middleware in front of a WSGI or ASGI app: `authmw_protect(app, **options)`."""
    return authmw_cloud.protect


@pytest.fixture
def authmw_policy_matrix(
    authmw_cloud: Cloud, request: pytest.FixtureRequest
) -> Callable[..., None]:
    """Compare who may do what with a file: `authmw_policy_matrix(rules, "policy.txt")`."""
    from authmw.testing.policy_matrix import check_matrix

    def check(rules: Any, path: str | Path, **options: Any) -> None:
        file = request.path.parent / path
        is_update = request.config.getoption("authmw_update_policy_matrix")
        difference = check_matrix(authmw_cloud, rules, file, is_update=is_update, **options)
        if difference:
            pytest.fail(difference, pytrace=False)

    return check


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option with which `authmw_policy_matrix` writes its files."""
    parser.getgroup("authmw").addoption(
        "--authmw-update-policy-matrix",
        action="store_true",
        help="write the files of authmw_policy_matrix instead of comparing with them",
    )

"""A filter in front of a recording app, on an embedded identity server.

`tests/conftest.py` hands out the fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from oslo_config import cfg
from webtest import TestApp
from webtest.lint import middleware as lint

import authmw
from authmw.build import build_filter_parts
from authmw.testing import IdentityServer
from tests.support.doors import Middleware, open_door


@dataclass
class Service:
    """The app behind the filter: it keeps what it was told."""

    status: str = "200 OK"
    seen: list[dict[str, Any]] = field(default_factory=list)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        self.seen.append(dict(environ))
        start_response(self.status, [("Content-Type", "text/plain")])
        return [b"hello"]

    @property
    def last(self) -> dict[str, Any]:
        return self.seen[-1]


@dataclass
class Protected:
    """A service, the filter in front of it, and the identity server behind both."""

    server: IdentityServer
    service: Service
    app: TestApp

    def get(self, token: str | None = None, path: str = "/", **arguments: Any) -> Any:
        """Send a GET with X-Auth-Token; any status is fine."""
        headers = dict(arguments.pop("headers", {}))
        if token is not None:
            headers["X-Auth-Token"] = token
        return self.app.get(path, headers=headers, status="*", **arguments)


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


Protect = Callable[..., Protected]


@pytest.fixture
def door(request: pytest.FixtureRequest) -> str:
    """The door that `protect` opens, one of DOORS: both in turn in tests marked `both_doors`."""
    return getattr(request, "param", "wsgi")


@pytest.fixture
def protect(server: IdentityServer, door: str) -> Iterator[Protect]:
    """Make a protected service; keyword arguments are options, as in a paste file."""

    made: list[Middleware] = []

    def make(**options: str) -> Protected:
        service = Service()
        conf = {**server.service_credentials, **options}
        middleware = open_door(door, lint(service), build_filter_parts(conf))
        made.append(middleware)
        return Protected(server, service, TestApp(middleware))

    yield make
    for middleware in made:
        middleware.close()


Embed = Callable[..., Protected]


@pytest.fixture
def embed(server: IdentityServer) -> Iterator[Embed]:
    """Make a service with a middleware of some class; keyword arguments are options."""
    made: list[authmw.AuthMiddleware] = []

    def make(kind: type[authmw.AuthProtocol] = authmw.AuthProtocol, **options: Any) -> Protected:
        service = Service()
        conf = {"oslo_config_config": cfg.ConfigOpts(), **server.service_credentials, **options}
        made.append(kind(service, conf))
        return Protected(server, service, TestApp(made[-1]))

    yield make
    for middleware in made:
        middleware.close()


def get(app: Any, token: str | None = None, path: str = "/", **headers: str) -> Any:
    """Send a GET to any app; any status is fine."""
    if token is not None:
        headers["X-Auth-Token"] = token
    return TestApp(app).get(path, headers=headers, status="*")

"""oslo.context's contexts, made from the environ of a service behind the filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oslo_config import cfg
from oslo_context.context import RequestContext
from webtest import TestApp

import authmw
from authmw.testing import IdentityServer
from tests.support.protected import Protected, Service

MakeContext = Callable[..., RequestContext]


@pytest.fixture(scope="module")
def server() -> Iterator[IdentityServer]:
    with IdentityServer(admin_project=("inventory", "Default")) as running:
        yield running


@pytest.fixture(scope="module")
def make_context(server: IdentityServer) -> Iterator[MakeContext]:
    """Make oslo.context's context of a request: a user token, maybe a service token."""
    made: list[authmw.AuthMiddleware] = []

    def make(user: str | None, service: str | None = None, **options: str) -> RequestContext:
        told = Service()
        conf = {"oslo_config_config": cfg.ConfigOpts(), **server.service_credentials, **options}
        made.append(authmw.AuthMiddleware(told, conf))
        headers: dict[str, Any] = {} if service is None else {"X-Service-Token": service}
        protected = Protected(server, told, TestApp(made[-1]))
        assert protected.get(user, headers=headers).status_int == 200
        return RequestContext.from_environ(told.last, overwrite=False)

    yield make
    for middleware in made:
        middleware.close()

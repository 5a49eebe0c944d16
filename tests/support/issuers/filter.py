"""A filter in front of a recording app, for tokens of issuers, without any Keystone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oslo_config import cfg
from webtest import TestApp
from webtest.lint import middleware as lint

from authmw.build import build_filter_parts
from authmw.testing.oidc_server import OidcServer
from tests.support.doors import open_door
from tests.support.protected import Service


@dataclass
class IssuerFilter:
    """A service behind a filter.

    Attributes:
        service: keeps what it was told.
    """

    service: Service
    middleware: Any
    app: TestApp

    def get(self, token: str, **headers: str) -> Any:
        """Send a token as OAuth clients do; any status is fine."""
        return self.app.get(
            "/", headers={"Authorization": f"Bearer {token}", **headers}, status="*"
        )

    def status_of(self, token: str) -> int:
        return int(self.get(token).status_int)

    def close(self) -> None:
        self.middleware.close()


def protect_by(*servers: OidcServer, door: object = "wsgi", **options: object) -> IssuerFilter:
    """Protect a service by one issuer or several, named a, b, ...

    Args:
        servers: the issuers.
        door: of the filter; see `tests.support.doors`.
        options: further ones, with `__` for a dot: `issuer__a__roles`.
    """
    conf: dict[str, object] = {}
    for name, server in zip("abcdefgh", servers, strict=False):
        conf |= issuer_options(name, server)
    return protect_with(door=door, **conf, **options)


def protect_with(*, door: object = "wsgi", **options: object) -> IssuerFilter:
    """Protect a service by a filter with these options, `__` for a dot, and no others."""
    conf: dict[str, object] = {"oslo_config_config": cfg.ConfigOpts()}
    conf |= {name.replace("__", "."): value for name, value in options.items()}
    service = Service()
    middleware = open_door(str(door), lint(service), build_filter_parts(conf))
    return IssuerFilter(service, middleware, TestApp(middleware))


def issuer_options(name: str, server: OidcServer) -> dict[str, str]:
    """Return what a paste file says of a server that conforms to its profile."""
    options = {f"issuer.{name}.issuer": server.issuer}
    if server.profile != "keystone-op":
        options[f"issuer.{name}.audience"] = server.audience
    if server.profile != "rfc9068":
        options[f"issuer.{name}.profile"] = server.profile
    return options

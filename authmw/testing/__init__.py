"""Test support for services that authmw protects: an embedded identity server.

    from authmw.testing import IdentityServer

    with IdentityServer() as server:
        token = server.issue("member", project="inventory")
        options = server.service_credentials   # for a filter, as [keystone_authtoken]

`OidcServer` does the same for issuers of OAuth2 access tokens.

`Cloud` adds personas ("a reader of project inventory") with signed tokens, a filter in front of
the service, and a clock that stands still. The pytest plugin offers both as fixtures
(`authmw.testing.plugin`).

`IdentityServer` speaks the Identity API over real HTTP on the loopback interface, so tests
exercise the code that runs in production. It keeps everything in memory and has no policy files
and no federation. It does not replace an integration test against the identity service you
deploy. Importing this package starts nothing; names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authmw.testing.api_errors import IdentityApiError
    from authmw.testing.clock import Clock
    from authmw.testing.cloud import Cloud, Protect
    from authmw.testing.directory import Directory
    from authmw.testing.faults import Fault
    from authmw.testing.identity import Identity
    from authmw.testing.identity_server import IdentityServer
    from authmw.testing.issuer import Issuer
    from authmw.testing.oidc_server import OidcServer
    from authmw.testing.oidc_tokens import TokenGrant
    from authmw.testing.personas import PERSONAS, Persona, Personas
    from authmw.testing.policy_matrix import PolicyMatrix
    from authmw.testing.records import AccessRule
    from authmw.testing.revocations import RevocationEvent

__all__ = [
    "PERSONAS",
    "AccessRule",
    "Clock",
    "Cloud",
    "Directory",
    "Fault",
    "Identity",
    "IdentityApiError",
    "IdentityServer",
    "Issuer",
    "OidcServer",
    "Persona",
    "Personas",
    "PolicyMatrix",
    "Protect",
    "RevocationEvent",
    "TokenGrant",
]

_MODULES = {
    "PERSONAS": "personas",
    "AccessRule": "records",
    "Clock": "clock",
    "Cloud": "cloud",
    "Directory": "directory",
    "Fault": "faults",
    "Identity": "identity",
    "IdentityServer": "identity_server",
    "Issuer": "issuer",
    "IdentityApiError": "api_errors",
    "OidcServer": "oidc_server",
    "Persona": "personas",
    "Personas": "personas",
    "PolicyMatrix": "policy_matrix",
    "Protect": "cloud",
    "RevocationEvent": "revocations",
    "TokenGrant": "oidc_tokens",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

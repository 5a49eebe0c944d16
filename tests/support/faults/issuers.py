"""Faults of issuers beside Keystone."""

from __future__ import annotations

from authmw.testing.oidc_server import OidcServer
from tests.support.faults.fault import Fault
from tests.support.faults.site import Site
from tests.support.misbehaving import closed_port

AUDIENCE = "https://inventory.example"
SECTION = "authmw_issuer:acme"


def add_issuer(site: Site, **changes: str) -> OidcServer:
    """Add an issuer to a site, with these options changed."""
    server = site.stack.enter_context(OidcServer())
    site.sections[SECTION] = {"issuer": server.issuer, "audience": AUDIENCE, **changes}
    return server


def _claim_another_name(site: Site) -> None:
    add_issuer(site).claimed_issuer = "https://login.acme.example"


def _close_port(site: Site) -> None:
    port = site.stack.enter_context(closed_port())
    site.sections[SECTION] = {"issuer": f"http://127.0.0.1:{port}", "audience": AUDIENCE}


def _sign_otherwise(site: Site) -> None:
    add_issuer(site, algorithms="ES384")


def add_introspection(site: Site, **changes: str) -> OidcServer:
    """Add an issuer whose tokens are opaque."""
    server = add_issuer(site)
    site.sections[SECTION] = {
        "issuer": server.issuer,
        "audience": AUDIENCE,
        "profile": "introspection",
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        **changes,
    }
    return server


def _forget_the_secret(site: Site) -> None:
    add_introspection(site, client_secret="wrong")


FAULTS = (
    Fault(
        "an issuer of another name",
        _claim_another_name,
        "issuer acme discovery",
        ("'issuer' is not the configured one", "exactly as"),
    ),
    Fault(
        "an issuer that is not there",
        _close_port,
        "issuer acme connection",
        ("refused", "host and port"),
    ),
    Fault(
        "an issuer whose keys are of no use",
        _sign_otherwise,
        "issuer acme keys",
        ("no key can be used", "ES384", "algorithms"),
    ),
    Fault(
        "a client that may not introspect",
        _forget_the_secret,
        "issuer acme introspection",
        ("refused our own credentials", "client_secret"),
    ),
)

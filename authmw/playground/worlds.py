"""One deployment for each mode: an identity service or issuer of its own, and a filter.

The filters are those that services get. What goes wrong in a mode really does: the identity
service is stopped, the token is revoked, the bundle is old.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from authmw.build import build_filter_parts
from authmw.middleware import AuthMiddleware, WsgiApp
from authmw.playground.directory_facts import write_directory
from authmw.playground.personas import PERSONAS, Persona
from authmw.testing.identity_server import IdentityServer
from authmw.testing.oidc_server import OidcServer

_POLL_SECONDS = 1
# After a poll began that long after a revocation, the filter has read the event.
_SURELY_POLLED_SECONDS = 5
_LOOK_AGAIN_SECONDS = 0.02
_DAY_SECONDS = 86_400
_OLD_SECONDS = 3600

Headers = Mapping[str, str]


class World:
    """A filter in front of a service, and who issues the tokens that are sent to it.

    Args:
        app: the service.
        options: of the filter, as `authmw.filter_factory` takes them.
        issue: returns the header with a new token of a persona that has one.
        servers: that are stopped at the end.

    Attributes:
        app: the service behind the filter.
    """

    def __init__(
        self,
        app: WsgiApp,
        options: Mapping[str, Any],
        issue: Callable[[Persona], Headers],
        *servers: IdentityServer | OidcServer,
    ) -> None:
        parts = build_filter_parts({**options, "public_paths": "/health"})
        self.app = AuthMiddleware.from_parts(app, parts)
        self.servers = servers
        self._issue = issue
        self._known: dict[str, Headers] = {}
        self._lock = threading.Lock()

    def headers_of(self, persona_name: str, *, is_new: bool = False) -> Headers:
        """Return what brings the token of a persona.

        Args:
            persona_name: of `PERSONAS`.
            is_new: whether its token shall be one that was never sent.
        """
        persona = PERSONAS[persona_name]
        if persona.string is not None:
            return {"X-Auth-Token": persona.string}
        if persona.user is None:
            return {}
        with self._lock:
            if is_new or persona_name not in self._known:
                self._known[persona_name] = self._issue(persona)
            return self._known[persona_name]

    def send_once(self, headers: Headers) -> None:
        """Send a request, so that the filter knows the token."""
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/v1/items",
            **{f"HTTP_{name.replace('-', '_').upper()}": headers[name] for name in headers},
        }
        for _ in self.app(environ, lambda *_: None):
            pass

    def close(self) -> None:
        """Stop the filter's threads and the servers."""
        self.app.close()
        for server in self.servers:
            server.stop()


def open_remote(app: WsgiApp, _directory: Path) -> World:
    """Open tokens that Keystone is asked about."""
    identity = _start_identity()
    return World(app, _remote_options(identity), _opaque(identity), identity)


def open_offline(app: WsgiApp, directory: Path) -> World:
    """Open signed tokens with names and roles."""
    identity = _start_identity()
    return World(app, _offline_options(identity, directory), _signed(identity), identity)


def open_issuer(app: WsgiApp, _directory: Path) -> World:
    """Open access tokens of an OIDC issuer."""
    issuer = OidcServer()
    issuer.start()

    def issue(persona: Persona) -> Headers:
        lifetime = persona.wanted.get("expires_in", issuer.lifetime_seconds)
        token = issuer.issue(
            persona.user or "", roles=persona.roles, lifetime_seconds=int(lifetime)
        )
        return {"Authorization": f"Bearer {token}"}

    options = {
        "token_validation": "offline",
        "revocation_poll_interval": "0",
        "issuer.acme.issuer": issuer.issuer,
        "issuer.acme.audience": issuer.audience,
    }
    return World(app, options, issue, issuer)


def open_identity_down(app: WsgiApp, _directory: Path) -> World:
    """Open a Keystone that stopped after it was asked about a token of each persona."""
    identity = _start_identity()
    world = World(app, _remote_options(identity), _opaque(identity), identity)
    for name in PERSONAS:
        world.send_once(world.headers_of(name))
    identity.stop()
    return world


def open_revoked(app: WsgiApp, directory: Path) -> World:
    """Open signed tokens that are revoked after their first use."""
    identity = _start_identity()
    sign = _signed(identity)

    def issue(persona: Persona) -> Headers:
        headers = sign(persona)
        if "expires_in" not in persona.wanted:
            world.send_once(headers)
            identity.revoke(headers["X-Auth-Token"])
            _wait_for_poll(identity)
        return headers

    world = World(app, _offline_options(identity, directory), issue, identity)
    return world


def open_cut_off(app: WsgiApp, directory: Path) -> World:
    """Open a site that has a bundle and no Keystone."""
    return _open_bundle(app, directory, 0, {"bundle_max_age": str(_DAY_SECONDS)})


def open_stale(app: WsgiApp, directory: Path) -> World:
    """Open a site whose bundle is older than it may be."""
    return _open_bundle(app, directory, _OLD_SECONDS, {"bundle_max_age": "600"})


def _start_identity() -> IdentityServer:
    identity = IdentityServer()
    identity.start()
    return identity


def _remote_options(identity: IdentityServer) -> dict[str, str]:
    return {
        **identity.service_credentials,
        "token_validation": "remote",
        "revocation_poll_interval": str(_POLL_SECONDS),
        "http_request_max_retries": "0",
    }


def _offline_options(identity: IdentityServer, directory: Path) -> dict[str, str]:
    keys = directory / "keys"
    identity.issuer.write_public_key(keys)
    return {
        **identity.service_credentials,
        "token_validation": "offline",
        "jws_public_key_repository": str(keys),
        "jws_authority": "claims",
        "revocation_poll_interval": str(_POLL_SECONDS),
    }


def _open_bundle(
    app: WsgiApp, directory: Path, age_seconds: int, options: Mapping[str, str]
) -> World:
    identity = _start_identity()
    # From here on nobody answers at its URL.
    identity.stop()
    bundle = directory / "site.bundle"
    write_directory(identity.directory, bundle, int(time.time()) - age_seconds)
    return World(
        app,
        {
            **_offline_options(identity, directory),
            "jws_authority": "bundle",
            "bundle_path": str(bundle),
            "revocation_poll_interval": "0",
            "revocation_max_staleness": str(_DAY_SECONDS),
            **options,
        },
        lambda persona: {"X-Auth-Token": identity.issue_jws(persona.user or "", **persona.wanted)},
    )


def _opaque(identity: IdentityServer) -> Callable[[Persona], Headers]:
    return lambda persona: {"X-Auth-Token": identity.issue(persona.user or "", **persona.wanted)}


def _signed(identity: IdentityServer) -> Callable[[Persona], Headers]:
    return lambda persona: {
        "X-Auth-Token": identity.issue_jws(
            persona.user or "", names_and_roles=True, **persona.wanted
        )
    }


def _wait_for_poll(identity: IdentityServer) -> None:
    """Return when filters have polled the events so far, or surely will with the next request."""
    # The poll that comes next may have been asked for before; the one after it was not.
    enough = identity.calls["events"] + 2
    until = time.monotonic() + _SURELY_POLLED_SECONDS
    while identity.calls["events"] < enough and time.monotonic() < until:
        time.sleep(_LOOK_AGAIN_SECONDS)
    time.sleep(_LOOK_AGAIN_SECONDS)

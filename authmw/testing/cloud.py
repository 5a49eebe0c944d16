"""A cloud for a service's tests: personas, an identity server and a clock."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, overload

from authmw.asgi import AuthMiddleware as AsgiAuthMiddleware
from authmw.asgi.interface import AsgiApp
from authmw.build import FilterParts, build_filter_parts
from authmw.build.parts import find_live_parts
from authmw.decorators.configuration import forget_configurations
from authmw.issuers.profiles import PROFILES
from authmw.middleware import AuthMiddleware, WsgiApp
from authmw.runtime.clock import follow, unfollow, wall_clock
from authmw.testing.clock import Clock
from authmw.testing.faults import Fault
from authmw.testing.identity_server import IdentityServer
from authmw.testing.issuer_personas import IssuerPersona
from authmw.testing.oidc_server import OidcServer
from authmw.testing.personas import Persona, Personas
from authmw.testing.population import make_directory
from authmw.testing.slips import UnknownName, suggest, verify_app, verify_option_names
from authmw.wsgi.asgi import is_asgi

_POLL_SECONDS = 1
# Makes a filter's background work overdue, so that the next request does it.
_SURELY_POLLED_SECONDS = _POLL_SECONDS + 3


class Protect(Protocol):
    """Puts a filter in front of an app; the type of the fixture `authmw_protect`."""

    @overload
    def __call__(self, app: WsgiApp, **options: Any) -> AuthMiddleware: ...

    @overload
    def __call__(self, app: AsgiApp, **options: Any) -> AsgiAuthMiddleware: ...

    def __call__(self, app: Any, **options: Any) -> Any:
        """See `Cloud.protect`."""


class Cloud:
    """Everything a service's tests need around the service.

        with Cloud() as cloud:
            app = cloud.protect(service)
            member = cloud.personas.project_member("inventory")
            ...                                   # a request with member.headers

    Tokens are signed and name their bearer's roles; the filters of `protect` verify them as in
    production, with `jws_authority = claims`, so a new token takes well under a millisecond and
    no HTTP. The pytest plugin (`authmw.testing.plugin`) wraps this; unittest uses it as it is.

    Attributes:
        clock: of the identity server and all filters; it stands still.
        identity: the identity server.
        personas: the callers.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.identity = IdentityServer(clock=self.clock)
        self.personas = Personas(self.identity, self.add_issuer)
        self._filters: list[FilterParts | AsgiAuthMiddleware] = []
        self._issuers: dict[tuple[str, ...], OidcServer] = {}
        self._issuer_options: dict[str, str] = {}
        self._issuer_keys: tempfile.TemporaryDirectory[str] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Open the identity server's port."""
        self._directory = tempfile.TemporaryDirectory(prefix="authmw-")
        self.identity.issuer.write_public_key(Path(self._directory.name))
        self.identity.start()
        self._lend_clock()

    def stop(self) -> None:
        """Close it, and stop the background threads of the filters."""
        self._close_filters()
        self._forget_issuers()
        unfollow(self.identity.url)
        self.identity.stop()
        if self._directory is not None:
            self._directory.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Restore the initial state: the first population, no fault, and the machine's time.

        The attributes may then be other objects. Filters of `protect` are closed; one that a
        service has built from `options` goes on.
        """
        self._close_filters()
        # What an equal filter of the last test has met, such as an outage, is not this one's.
        forget_configurations()
        self._forget_issuers()
        if self.clock() > time.time() or self.identity.events_since():
            # Neither time nor an event can be undone, so a new server is started. On the same
            # port, for filters that go on.
            former = self.identity
            former.stop()
            self.clock = Clock()
            self.identity = IdentityServer(clock=self.clock, issuer=former.issuer, port=former.port)
            self.identity.start()
            self._lend_clock()
            self._catch_filters_up()
            self.personas = Personas(self.identity, self.add_issuer)
            return
        if not self.identity.is_running:
            self.identity.start()
        self.identity.directory = make_directory()
        self.identity.admin_project = None
        self.identity.fault = None
        self.identity.forget_requests()
        self.clock.advance_to(time.time())

    @property
    def options(self) -> dict[str, str]:
        """[keystone_authtoken] options of a filter that belongs to this cloud.

        Use them in a service that builds its own pipeline. A filter that this process builds from
        them goes by the machine's time, or by this cloud's clock where that is ahead: `expire`,
        `revoke` and `let_events_arrive` move it too.
        """
        if self._directory is None:
            raise RuntimeError("start the cloud first: its port and its key are not there yet")
        return {
            **self.identity.service_credentials,
            "jws_public_key_repository": self._directory.name,
            "jws_authority": "claims",
            "revocation_poll_interval": str(_POLL_SECONDS),
            **self._issuer_options,
        }

    @overload
    def protect(self, app: WsgiApp, **options: Any) -> AuthMiddleware: ...

    @overload
    def protect(self, app: AsgiApp, **options: Any) -> AsgiAuthMiddleware: ...

    def protect(self, app: Any, **options: Any) -> Any:
        """Put a filter in front of a WSGI or ASGI app; `options` override `self.options`.

        Raises:
            TypeError: it is no app, or an option does not exist; the message says what was meant.
        """
        verify_app(app)
        verify_option_names(options)
        parts = build_filter_parts({**self.options, **options}, clock=self.clock)
        self._filters.append(parts)
        if is_asgi(app):
            protected = AsgiAuthMiddleware.from_parts(app, parts)
            self._filters.append(protected)
            return protected
        return AuthMiddleware.from_parts(app, parts)

    def add_filter(self, parts: FilterParts) -> None:
        """Close a filter that other code built, with those of `protect`, when this cloud ends."""
        self._filters.append(parts)

    def add_issuer(self, profile: str = "rfc9068", **options: str) -> OidcServer:
        """Let filters accept tokens of an OAuth2 or OIDC issuer as well, from the next one on.

        Asked for twice, it is one issuer. It makes tokens and is not started, unless filters poll
        it for revoked tokens: they find its keys in a directory, so that nothing is requested.

        Args:
            profile: what kind of issuer it is; see `authmw.issuers.profiles`.
            options: of its section, in place of those that a conforming issuer needs, such as
                `project_id="tenant"`.

        Raises:
            RuntimeError: a filter was built already, and would not know the issuer.
            KeyError, TypeError: there is no such profile or option; the message says what was
                meant.
        """
        key = (profile, *(f"{name}={value}" for name, value in sorted(options.items())))
        known = self._issuers.get(key)
        if known is not None:
            return known
        if profile not in PROFILES:
            raise UnknownName(f"no kind of issuer {profile!r}: {suggest(profile, PROFILES)}")
        verify_option_names(f"issuer.{profile}.{name}" for name in options)
        if self._filters:
            raise RuntimeError("ask for the issuer before the filter is built that shall know it")
        issuer = self._issuers[key] = OidcServer(profile=profile, clock=lambda: self.clock())
        name = f"{profile}-{len(self._issuers)}"
        if PROFILES[profile].revocation_list_path is None:
            issuer.url = f"https://{name}.issuers.example"
        else:
            issuer.start()
        if self._issuer_keys is None:
            self._issuer_keys = tempfile.TemporaryDirectory(prefix="authmw-issuers-")
        directory = Path(self._issuer_keys.name, name)
        directory.mkdir()
        (directory / "keys.json").write_text(json.dumps(issuer.list_keys()))
        said = {
            **issuer.service_options,
            "public_key_repository": str(directory),
            **options,
        }
        self._issuer_options |= {f"issuer.{name}.{option}": said[option] for option in said}
        return issuer

    def _forget_issuers(self) -> None:
        for issuer in self._issuers.values():
            issuer.stop()
        self._issuers, self._issuer_options = {}, {}
        if self._issuer_keys is not None:
            self._issuer_keys.cleanup()
            self._issuer_keys = None

    def expire(self, persona: Persona | IssuerPersona) -> None:
        """Move the clock until this token has expired."""
        self.clock.advance_to(persona.expires_at)

    def revoke(self, persona: Persona) -> None:
        """Revoke this token, and move the clock until every filter has polled the event."""
        self.identity.revoke(persona.token)
        self.let_events_arrive()

    def let_events_arrive(self) -> None:
        """Move the clock until every filter has polled the events so far."""
        self.clock.advance(_SURELY_POLLED_SECONDS)

    @contextlib.contextmanager
    def outage(self, fault: Fault = Fault.ERROR_503) -> Iterator[None]:
        """Let the identity service fail for the time of a `with` block.

        Signed tokens do not need it until revocation events are older than
        `revocation_max_staleness`; remote validation (`token_validation="remote"`) does.
        """
        with self.identity.failing(fault):
            yield

    def _lend_clock(self) -> None:
        follow(self.identity.url, lambda: max(wall_clock(), self.clock()))

    def _catch_filters_up(self) -> None:
        """Let filters that go on read events by the time that was set back."""
        for parts in find_live_parts():
            auth = parts.settings.auth
            if auth is not None and auth.values.get("auth_url") == self.identity.url:
                parts.refresher.reload_all()

    def _close_filters(self) -> None:
        while self._filters:
            self._filters.pop().close()

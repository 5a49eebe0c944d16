"""A cloud for a service's tests: personas, an identity server and a clock."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from authmw.build import build_filter_parts
from authmw.middleware import AuthMiddleware, WsgiApp
from authmw.testing.clock import Clock
from authmw.testing.faults import Fault
from authmw.testing.identity_server import IdentityServer
from authmw.testing.personas import Persona, Personas
from authmw.testing.population import make_directory

_POLL_SECONDS = 1
# Makes a filter's background work overdue, so that the next request does it.
_SURELY_POLLED_SECONDS = _POLL_SECONDS + 3


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
        self.personas = Personas(self.identity)
        self._filters: list[AuthMiddleware] = []
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Open the identity server's port."""
        self._directory = tempfile.TemporaryDirectory(prefix="authmw-")
        self.identity.issuer.write_public_key(Path(self._directory.name))
        self.identity.start()

    def stop(self) -> None:
        """Close it, and stop the background threads of the filters."""
        self._close_filters()
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

        The attributes may then be other objects.
        """
        self._close_filters()
        if self.clock() > time.time() or self.identity.events_since():
            # Neither time nor an event can be undone, so a new server is started.
            self.identity.stop()
            self.clock = Clock()
            self.identity = IdentityServer(clock=self.clock, issuer=self.identity.issuer)
            self.identity.start()
            self.personas = Personas(self.identity)
            return
        self.identity.directory = make_directory()
        self.identity.admin_project = None
        self.identity.fault = None
        self.identity.forget_requests()
        self.clock.advance_to(time.time())

    @property
    def options(self) -> dict[str, str]:
        """[keystone_authtoken] options of a filter that belongs to this cloud.

        Use them in a service that builds its own pipeline; its filter then uses the machine's
        time.
        """
        if self._directory is None:
            raise RuntimeError("start the cloud first: its port and its key are not there yet")
        return {
            **self.identity.service_credentials,
            "jws_public_key_repository": self._directory.name,
            "jws_authority": "claims",
            "revocation_poll_interval": str(_POLL_SECONDS),
        }

    def protect(self, app: WsgiApp, **options: Any) -> AuthMiddleware:
        """Put a filter in front of an app; `options` override `self.options`."""
        parts = build_filter_parts({**self.options, **options}, clock=self.clock)
        protected = AuthMiddleware.from_parts(app, parts)
        self._filters.append(protected)
        return protected

    def expire(self, persona: Persona) -> None:
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

    def _close_filters(self) -> None:
        while self._filters:
            self._filters.pop().close()

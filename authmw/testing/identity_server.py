"""The embedded identity server: `Identity` behind real HTTP on the loopback interface."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from authmw.testing.faults import Call, Fault
from authmw.testing.identity import Identity
from authmw.testing.identity_api import JWKS_PATH, IdentityApi
from authmw.testing.loopback import Loopback, SeenRequest


@dataclass(kw_only=True, eq=False, repr=False)
class IdentityServer(Identity):
    """An identity service to test against; see `Identity` for its other arguments.

        with IdentityServer(endpoint_count=450) as server:
            token = server.issue("member", project="inventory")
            ...
            assert server.calls["validate"] == 1
            with server.failing(Fault.HANG, "validate"):
                ...

    It keeps its tokens and its port while stopped: to clients, `restart()` looks like the restart
    of a real service. `url` is set by the first start.

    Args:
        port: to open; 0: a free one.
    """

    port: int = 0

    _loopback: Loopback = field(init=False)

    def __post_init__(self) -> None:
        # The clock may be replaced while the server runs, so it is looked up each time.
        self._loopback = Loopback(IdentityApi(self), lambda: self.clock(), self.port)

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

    def start(self) -> None:
        """Open the port: a free one the first time, the same one later."""
        self._loopback.start()
        self.port = self._loopback.port
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Close the port and every connection; clients are refused from now on."""
        self._loopback.stop()

    def restart(self) -> None:
        """Stop, then start on the same port with the same tokens and events."""
        self.stop()
        self.start()

    @property
    def is_running(self) -> bool:
        """Whether the port is open."""
        return self._loopback.is_running

    @property
    def jwks_url(self) -> str:
        """URL of the public key as a JWK Set, for `jws_jwks_uri`."""
        return f"{self.url}{JWKS_PATH}"

    @property
    def calls(self) -> collections.Counter[Call]:
        """A copy of the number of requests of each kind so far."""
        return self._loopback.calls

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The latest requests, oldest first, without their tokens."""
        return self._loopback.requests

    def forget_requests(self) -> None:
        """Set all counts to zero."""
        self._loopback.forget_requests()

    @property
    def fault(self) -> Fault | None:
        """The fault of all requests; None: there is none."""
        return self._loopback.fault_of(None)

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._loopback.set_fault(fault)

    @contextlib.contextmanager
    def failing(self, fault: Fault, *calls: Call) -> Iterator[None]:
        """Let these kinds of request fail for the time of a `with` block; all if none is named."""
        kinds: tuple[Call | None, ...] = calls or (None,)
        for call in kinds:
            self._loopback.set_fault(fault, call)
        try:
            yield
        finally:
            for call in kinds:
                self._loopback.set_fault(None, call)

    @property
    def service_credentials(self) -> dict[str, str]:
        """[keystone_authtoken] options that make a filter use this server as user `service`."""
        return self.credentials("service", project="service")

    def credentials(self, user: str, *, project: str) -> dict[str, str]:
        """Return keystoneauth1 password options for any user of the directory."""
        with self.lock:
            row = self.directory.user(user)
            scope = self.directory.project(project)
            return {
                "www_authenticate_uri": self.url,
                "auth_type": "password",
                "auth_url": self.url,
                "username": row.name,
                "password": row.password,
                "user_domain_id": row.domain_id,
                "project_name": scope.name,
                "project_domain_id": scope.domain_id,
            }

"""Starts the servers of the demo: an identity service, and gunicorn with the protected service."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from authmw.testing import IdentityServer
from authmw.testing.oidc_server import OidcServer

_STOP_SECONDS = 10
_ANSWER_SECONDS = 30

_PIPELINE = """\
[pipeline:main]
pipeline = auth_token inventory

[filter:auth_token]
paste.filter_factory = authmw:filter_factory
public_paths = /health
service_token_roles_required = true
revocation_poll_interval = 1
jws_public_key_repository = {keys}
issuer.acme.issuer = {issuer}
issuer.acme.audience = {audience}
{credentials}

[app:inventory]
paste.app_factory = authmw.testing.demo.inventory:app_factory
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of the service, or of the filter in front of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stage:
    """The servers of the demo, for the time of a `with` block.

    Args:
        directory: for the paste file and the log.
    """

    def __init__(self, directory: Path) -> None:
        self.identity = IdentityServer()
        self.issuer = OidcServer()
        self.pipeline = directory / "inventory.ini"
        self._keys = directory / "keys"
        self._log = directory / "gunicorn.log"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._gunicorn: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of the inventory service."""
        return f"http://{self.address[0]}:{self.address[1]}"

    def __enter__(self) -> Self:
        self.identity.start()
        self.issuer.start()
        credentials = "\n".join(
            f"{option} = {value}" for option, value in self.identity.service_credentials.items()
        )
        self.identity.issuer.write_public_key(self._keys)
        self.pipeline.write_text(
            _PIPELINE.format(
                credentials=credentials,
                keys=self._keys,
                issuer=self.issuer.issuer,
                audience=self.issuer.audience,
            )
        )
        # gunicorn gets a socket that is open already, so requests wait while it starts.
        # One worker, so that requests share one process's memory.
        options = ["--workers", "1", "--threads", "8", "--bind", f"fd://{self._listener.fileno()}"]
        with self._log.open("wb") as log:
            self._gunicorn = subprocess.Popen(  # noqa: S603 - our own arguments
                [sys.executable, "-m", "gunicorn", "--paste", str(self.pipeline), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._listener.fileno()],
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._listener.close()
        if self._gunicorn is not None:
            self._gunicorn.terminate()
            try:
                self._gunicorn.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._gunicorn.kill()
                self._gunicorn.wait(_STOP_SECONDS)
        self.issuer.stop()
        self.identity.stop()

    def send(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """Send one request to the service.

        Raises:
            OSError: no response within half a minute.
        """
        connection = http.client.HTTPConnection(*self.address, timeout=_ANSWER_SECONDS)
        try:
            connection.request(method, path, headers=dict(headers))
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def read_log(self) -> str:
        """Return what gunicorn has logged so far."""
        return self._log.read_text(errors="replace")

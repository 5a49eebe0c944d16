"""PyPI's canaille, on the loopback interface, in an environment of its own."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.issuers.http_client import HttpClient, basic
from tests.support.issuers.installed import require_installed
from tests.support.processes import ServerProcess, find_free_port, is_answering

_SCRIPT = Path(__file__).with_name("canaille_site.py")


class CanailleServer:
    """The server of `canaille_site.py`."""

    def __init__(self, directory: Path) -> None:
        python = require_installed("canaille/bin/python")
        port = find_free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        self._token_file = directory / "token"
        self._process = ServerProcess(
            [str(python), str(_SCRIPT), str(port)],
            is_ready=lambda: is_answering(f"{self.issuer}/oauth/jwks.json"),
            log=directory / "log",
            environ={
                "OPAQUE_TOKEN_FILE": str(self._token_file),
                "AUTHLIB_INSECURE_TRANSPORT": "1",
                "PYTHONWARNINGS": "ignore",
            },
            working_directory=directory,
        )

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._process.stop()

    @property
    def token_of_ada(self) -> str:
        """An access token of a user's, for the clients web and inventory."""
        return self._token_file.read_text()

    def ask_for_token(self, client: str = "web") -> str:
        """Return an access token by client credentials, for the client alone."""
        answer = HttpClient().post(
            f"{self.issuer}/oauth/token",
            {"grant_type": "client_credentials"},
            basic(client, f"{client}-secret"),
        )
        assert answer.status == 200, answer.body
        token: str = answer.json()["access_token"]
        return token

    def introspect(self, token: str, client: str) -> dict[str, Any]:
        """Return what the server tells a client about a token (RFC 7662)."""
        answer = HttpClient().post(
            f"{self.issuer}/oauth/introspect", {"token": token}, basic(client, f"{client}-secret")
        )
        assert answer.status == 200, answer.body
        answered: dict[str, Any] = answer.json()
        return answered

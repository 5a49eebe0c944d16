"""PyPI's django-oauth-toolkit, on the loopback interface."""

from __future__ import annotations

import base64
import hashlib
import secrets
import sys
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.support.issuers.http_client import HttpClient, basic
from tests.support.issuers.installed import REPOSITORY
from tests.support.processes import ServerProcess, find_free_port, is_answering

_CALLBACK = "https://web.example/callback"
_PASSWORD = "a password of a test"


class DjangoToolkit:
    """The site of `django_site.py`."""

    def __init__(self, directory: Path) -> None:
        pytest.importorskip("oauth2_provider", reason="pip install django-oauth-toolkit")
        port = find_free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.issuer = f"{self.url}/o"
        module = "tests.support.issuers.django_site"
        self._process = ServerProcess(
            [sys.executable, "-m", module, str(port), str(directory / "site.sqlite3")],
            is_ready=lambda: is_answering(f"{self.issuer}/.well-known/jwks.json"),
            log=directory / "log",
            # oauthlib insists on TLS, unless told that this is a test.
            environ={"OAUTHLIB_INSECURE_TRANSPORT": "1", "PYTHONWARNINGS": "ignore"},
            working_directory=REPOSITORY,
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

    def ask_for_token(self, client: str = "robot", **form: str) -> dict[str, Any]:
        """Return the token endpoint's answer to client_credentials, or to the form's grant."""
        answer = HttpClient().post(
            f"{self.issuer}/token/",
            {"grant_type": "client_credentials", **form},
            basic(client, f"{client}-secret"),
        )
        assert answer.status == 200, answer.body
        answered: dict[str, Any] = answer.json()
        return answered

    def introspect(self, token: str) -> dict[str, Any]:
        """Return the answer of RFC 7662 about a token."""
        answer = HttpClient().post(
            f"{self.issuer}/introspect/", {"token": token}, basic("robot", "robot-secret")
        )
        assert answer.status == 200, answer.body
        answered: dict[str, Any] = answer.json()
        return answered

    def revoke(self, token: str) -> None:
        """Revoke a token (RFC 7009)."""
        answer = HttpClient().post(
            f"{self.issuer}/revoke_token/", {"token": token}, basic("robot", "robot-secret")
        )
        assert answer.status == 200, answer.body

    def log_in(self) -> dict[str, Any]:
        """Return what a client gets when ada logs in: an access token and an ID token."""
        browser = HttpClient()
        answer = browser.get(f"{self.url}/login", username="ada", password=_PASSWORD)
        assert answer.status == 204, answer.body
        verifier = secrets.token_urlsafe(48)
        challenge = hashlib.sha256(verifier.encode("ascii")).digest()
        answer = browser.get(
            f"{self.issuer}/authorize/",
            client_id="web",
            response_type="code",
            redirect_uri=_CALLBACK,
            scope="openid inventory.read",
            nonce="n-0S6_WzA2Mj",
            code_challenge=base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii"),
            code_challenge_method="S256",
        )
        assert answer.status == 302, answer.body
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.location).query))
        return self.ask_for_token(
            "web",
            grant_type="authorization_code",
            code=query["code"],
            redirect_uri=_CALLBACK,
            code_verifier=verifier,
        )

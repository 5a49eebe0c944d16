"""npm's oidc-provider: an OpenID-certified server, on the loopback interface."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from authmw.testing.signing_key import SigningKey
from tests.support.issuers.http_client import HttpClient, basic
from tests.support.issuers.installed import DIRECTORY, require_installed
from tests.support.processes import ServerProcess, find_free_port, is_answering

_SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
_CALLBACK = "https://web.example/callback"
_REDIRECTS = 12


class OidcProvider:
    """The server and its clients, which `oidc_provider.mjs` names."""

    def __init__(self, log: Path) -> None:
        require_installed("node_modules/oidc-provider")
        port = find_free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        self.client_key = SigningKey.generate("client-key")
        self._process = ServerProcess(
            ["node", str(_SCRIPT), str(DIRECTORY), str(port)],
            is_ready=lambda: is_answering(f"{self.issuer}/jwks"),
            log=log,
            environ={"CLIENT_JWK": json.dumps(self.client_key.jwk())},
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
    def introspection_endpoint(self) -> str:
        return f"{self.issuer}/token/introspection"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/token"

    @staticmethod
    def secret_of(client: str) -> str:
        return f"{client}-secret-{'x' * 32}"

    def ask_for_token(
        self,
        client: str = "robot",
        *,
        resource: str = "https://inventory.example",
        headers: Mapping[str, str] | None = None,
        **form: str,
    ) -> dict[str, Any]:
        """Return the token endpoint's answer to client_credentials, or to the form's grant."""
        answer = HttpClient().post(
            self.token_endpoint,
            {"grant_type": "client_credentials", "resource": resource, **form},
            {**basic(client, self.secret_of(client)), **(headers or {})},
        )
        assert answer.status == 200, answer.body
        answered: dict[str, Any] = answer.json()
        return answered

    def introspect(self, token: str) -> dict[str, Any]:
        """Return what the client robot is told about a token (RFC 7662)."""
        answer = HttpClient().post(
            self.introspection_endpoint,
            {"token": token},
            basic("robot", self.secret_of("robot")),
        )
        assert answer.status == 200, answer.body
        answered: dict[str, Any] = answer.json()
        return answered

    def revoke(self, token: str) -> None:
        """Revoke a token (RFC 7009)."""
        answer = HttpClient().post(
            f"{self.issuer}/token/revocation",
            {"token": token},
            basic("robot", self.secret_of("robot")),
        )
        assert answer.status == 200, answer.body

    def log_in(self, user: str, *, resource: str = "https://inventory.example") -> dict[str, Any]:
        """Return what a client gets when a user logs in: an access token and an ID token.

        Authorization code with PKCE (RFC 7636), by the forms that a browser would show.
        """
        browser = HttpClient()
        verifier = secrets.token_urlsafe(48)
        challenge = hashlib.sha256(verifier.encode("ascii")).digest()
        answer = browser.get(
            f"{self.issuer}/auth",
            client_id="web",
            response_type="code",
            redirect_uri=_CALLBACK,
            scope="openid inventory.read",
            resource=resource,
            nonce="n-0S6_WzA2Mj",
            state="af0ifjsldkj",
            code_challenge=_base64url(challenge),
            code_challenge_method="S256",
        )
        for _ in range(_REDIRECTS):
            if answer.status == 200:
                answer = self._fill_in(browser, answer.body.decode("utf-8"), user)
            assert answer.status in (302, 303), answer.body
            target = urllib.parse.urljoin(self.issuer, answer.location)
            if target.startswith(_CALLBACK):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query))
                assert query["state"] == "af0ifjsldkj"
                return self.ask_for_token(
                    "web",
                    resource=resource,
                    grant_type="authorization_code",
                    code=query["code"],
                    redirect_uri=_CALLBACK,
                    code_verifier=verifier,
                )
            answer = browser.get(target)
        raise AssertionError("it did not come back from its forms")

    @staticmethod
    def _fill_in(browser: HttpClient, page: str, user: str) -> Any:
        action = re.search(r'action="([^"]+)"', page)
        prompt = re.search(r'name="prompt" value="(\w+)"', page)
        assert action is not None, page
        assert prompt is not None, page
        form = {"prompt": prompt[1], "login": user, "password": "any"}
        return browser.post(action[1], form)


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")

"""An authorization server behind TLS of a private authority, as in a cluster of Kubernetes."""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import threading
from typing import Any, Self
from urllib.parse import parse_qs

from authmw.testing.oidc_server import OidcServer


class TlsIssuer:
    """Serves the documents of an `OidcServer`, which need not run, over TLS.

    Args:
        server: makes the tokens: `issue("ada", issuer=tls.issuer)`.
        context: of the server's side of TLS.
        token: what clients must send as bearer token with GET; None: they must send none.

    Attributes:
        seen: (method, path, Authorization) of each request that came through TLS.
        subjects: of the certificates that clients presented.
        forms: that were posted.
    """

    def __init__(
        self, server: OidcServer, context: ssl.SSLContext, *, token: str | None = None
    ) -> None:
        self.server = server
        self.token = token
        self.seen: list[tuple[str, str, str | None]] = []
        self.subjects: list[object] = []
        self.forms: list[dict[str, list[str]]] = []
        self._http = _TlsServer(self._make_handler(), context)
        self.issuer = f"https://localhost:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def expected(self) -> str | None:
        return None if self.token is None else f"Bearer {self.token}"

    def answer(self, method: str, path: str, form: dict[str, list[str]]) -> dict[str, Any] | None:
        if (method, path) == ("GET", "/.well-known/openid-configuration"):
            ours = {"jwks_uri": "/jwks", "introspection_endpoint": "/introspect"}
            placed = {name: self.issuer + place for name, place in ours.items()}
            return {**self.server.describe(), "issuer": self.issuer, **placed}
        if (method, path) == ("GET", "/jwks"):
            return dict(self.server.list_keys())
        if (method, path) == ("POST", "/introspect"):
            self.forms.append(form)
            return self.server.introspect(form["token"][0])
        return None

    def _make_handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                authorization = self.headers.get("Authorization")
                site.seen.append((self.command, self.path, authorization))
                certificate: Any = self.request.getpeercert()
                site.subjects += [certificate["subject"]] if certificate else []
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                answer = site.answer(self.command, self.path, parse_qs(body))
                status = 200 if answer is not None else 404
                if self.command == "GET" and authorization != site.expected:
                    status, answer = 401, {"message": "Unauthorized"}
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class _TlsServer(http.server.ThreadingHTTPServer):
    """Shakes hands in the connection's own thread, and closes what it has wrapped."""

    daemon_threads = True

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler], tls: ssl.SSLContext):
        super().__init__(("127.0.0.1", 0), handler)
        self._tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        # A client may end a connection whenever it likes.
        with contextlib.suppress(OSError):
            request.settimeout(10)
            with self._tls.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)

"""A real HTTP server with a JWK set, and a real client for it."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from joserfc.jwk import ECKey

from authmw.identity.documents import FetchedDocument
from tests.support.signing import public_pem

TIMEOUT_SECONDS = 5


def jwk_set(*kids: int) -> bytes:
    """A JWK set of ES256 keys, each with its number as its kid."""
    keys = [ECKey.import_key(public_pem("ES256", kid)).as_dict(private=False) for kid in kids]
    return json.dumps(
        {"keys": [{**key, "kid": str(kid)} for key, kid in zip(keys, kids, strict=True)]}
    ).encode()


class JwksServer:
    """Serves `body` with `headers` and, if that is not None, with an ETag that it honours."""

    def __init__(self) -> None:
        self.status = 200
        self.body = jwk_set(0)
        self.etag: str | None = None
        self.headers: dict[str, str] = {}
        self.requests: list[dict[str, str]] = []
        self.uri = ""


@contextmanager
def serve_jwks() -> Iterator[JwksServer]:
    state = JwksServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = TIMEOUT_SECONDS

        def do_GET(self) -> None:
            state.requests.append({name.lower(): value for name, value in self.headers.items()})
            known = self.headers.get("If-None-Match")
            unchanged = known is not None and known == state.etag
            body = b"" if unchanged else state.body
            self.send_response(304 if unchanged else state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            if state.etag is not None:
                self.send_header("ETag", state.etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.uri = f"http://127.0.0.1:{server.server_address[1]}/keys"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join(TIMEOUT_SECONDS)


def fetch(uri: str, headers: Mapping[str, str]) -> FetchedDocument:
    parts = urllib.parse.urlsplit(uri)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path, headers=dict(headers))
        answer = connection.getresponse()
        lower_case = {name.lower(): value for name, value in answer.getheaders()}
        return FetchedDocument(answer.status, lower_case, answer.read())
    finally:
        connection.close()

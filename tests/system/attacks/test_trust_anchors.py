"""TLS trusts the authorities in `cafile` and no others."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.config.loading import load_settings
from authmw.errors import IdentityUnavailable
from authmw.identity.documents import DocumentFetcher
from authmw.testing import IdentityServer
from tests.support.certificates import Authority


class _KeySet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "11")
        self.end_headers()
        self.wfile.write(b'{"keys":[]}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def another(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "another")


@pytest.fixture
def uri(another: Authority) -> Iterator[str]:
    """A JWK set behind a certificate of the other authority."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _KeySet)
    server.socket = another.server_context("localhost").wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}/jwks"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


def fetch(uri: str, cafile: Path) -> int:
    with IdentityServer() as identity:
        settings = load_settings({**identity.service_credentials, "cafile": str(cafile)})
    return DocumentFetcher(settings)(uri, {}).status


@pytest.mark.parametrize("variable", VARIABLES)
def test_key_set_is_not_taken_from_whom_the_environment_trusts_and_cafile_does_not(
    uri: str, ours: Authority, another: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(another.cafile))
    with pytest.raises(IdentityUnavailable, match="GET https://localhost"):
        fetch(uri, ours.cafile)


@pytest.mark.parametrize("variable", VARIABLES)
def test_cafile_counts_whatever_the_environment_trusts(
    uri: str, ours: Authority, another: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(ours.cafile))
    assert fetch(uri, another.cafile) == 200

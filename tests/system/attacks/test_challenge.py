"""What WWW-Authenticate tells clients that nobody has authenticated."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from authmw.testing import IdentityServer
from tests.system.attacks.conftest import Aim

pytestmark = pytest.mark.both_doors


class Liar:
    """An identity service whose discovery names any address."""

    def __init__(self) -> None:
        self.path = "/v3/"
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                links = [{"rel": "self", "href": liar.url + liar.path}]
                version = {"id": "v3.14", "status": "stable", "links": links}
                body = json.dumps({"versions": {"values": [version]}}).encode()
                self.send_response(300)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()


@pytest.fixture
def liar() -> Iterator[Liar]:
    running = Liar()
    yield running
    running.stop()


@pytest.mark.parametrize(
    "path",
    [
        '/", charset="x/v3',
        "/a\r\nSet-Cookie: session=stolen/v3",
        "/a\x00/v3",
        "/a b/v3",
        "/caf\u00e9/v3",
        "/\u2028/v3",
        "/back\\slash/v3",
    ],
)
def test_address_that_no_header_can_carry_is_not_sent(aim: Aim, liar: Liar, path: str) -> None:
    liar.path = path
    answer = aim(www_authenticate_uri=None, auth_url=liar.url).attack()
    # What the operator wrote is told instead.
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (
        401,
        f'Keystone uri="{liar.url}"',
    )


def test_address_found_by_discovery_is_sent(aim: Aim, liar: Liar) -> None:
    answer = aim(www_authenticate_uri=None, auth_url=liar.url).attack()
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{liar.url}/v3"'


@pytest.mark.parametrize("is_reachable", [True, False])
def test_password_in_auth_url_is_told_to_nobody(
    aim: Aim, server: IdentityServer, *, is_reachable: bool
) -> None:
    host = server.url.removeprefix("http://")
    target = aim(www_authenticate_uri=None, auth_url=f"http://proxy:s3cr3t@{host}")
    if not is_reachable:
        server.stop()
    challenge = target.attack().headers["WWW-Authenticate"]
    assert challenge == f'Keystone uri="{server.url}{"/v3" if is_reachable else ""}"'

"""A proxy that the environment names is blamed for what it does, with its variable."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from authmw.errors import Outage
from authmw.identity.outcomes import Outcome
from authmw.identity.proxies import find_proxy
from tests.support.identity_client import client_for
from tests.support.misbehaving import TOKEN_BODY, MisbehavingIdentity, closed_port

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
HTML_403 = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nno access"
)
ASKS_WHO = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextlib.contextmanager
def proxy(answer: bytes) -> Iterator[int]:
    """Serve a proxy that answers so to every request; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.settimeout(10)
                    client.recv(65536)
                    client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def fail(url: str) -> Outage:
    with pytest.raises(Outage) as raised:
        client_for(url, http_request_max_retries=0, identity_deadline=5).fetch_token("t")
    return raised.value


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("upper", ["", "upper"])
def test_a_dead_proxy(scheme: str, upper: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"{scheme}_proxy".upper() if upper else f"{scheme}_proxy"
    with closed_port() as port:
        monkeypatch.setenv(variable, f"http://someone:their-secret@127.0.0.1:{port}")
        outage = fail(f"{scheme}://keystone.example/v3")
    assert outage.kind == Outcome.PROXY.name
    assert f"through proxy http://127.0.0.1:{port} ({variable})" in str(outage)
    assert "no_proxy" in str(outage)
    assert "their-secret" not in str(outage)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_unknown_proxy(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.invalid:3128")
    outage = fail(f"{scheme}://keystone.example/v3")
    assert outage.kind == Outcome.PROXY.name
    assert "through proxy http://proxy.invalid:3128 (ALL_PROXY)" in str(outage)


@pytest.mark.parametrize(
    ("scheme", "kind", "status"),
    [("http", Outcome.FORBIDDEN_ELSEWHERE, "HTTP 403"), ("https", Outcome.PROXY, "403 Forbidden")],
)
def test_a_403_of_a_proxy_is_not_about_roles(
    scheme: str, kind: Outcome, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(HTML_403) as port:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{port}")
        for path in ("", "/v3"):
            outage = fail(f"{scheme}://keystone.example{path}")
            assert outage.kind == kind.name
            assert f"through proxy http://127.0.0.1:{port} ({scheme}_proxy)" in str(outage)
            assert status in str(outage)
            assert "role" not in str(outage)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy(ASKS_WHO) as port:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{port}")
        outage = fail(f"{scheme}://keystone.example")
    assert outage.kind == Outcome.PROXY.name
    assert "407" in str(outage)


def test_a_host_in_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "elsewhere.example,localhost")
    with MisbehavingIdentity().served() as identity:
        assert client_for(identity.url).fetch_token("t") == TOKEN_BODY
    assert find_proxy(identity.url) is None


def test_without_a_proxy_none_is_named() -> None:
    with closed_port() as port:
        outage = fail(f"http://localhost:{port}/v3")
    assert outage.kind == Outcome.CONNECT_FAILED.name
    assert "proxy" not in str(outage)

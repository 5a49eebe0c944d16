"""The stage all contenders share: identity server, memcached, one app, one request."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authmw.testing import IdentityServer
from tests.support.memcached import Memcached

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

ENDPOINTS_OF_A_LARGE_CATALOG = 450


class CannotMeasure(Exception):
    """The figure would not be what its row says; the message tells why."""


@dataclass
class Stage:
    """What a benchmark needs around the filters.

    Attributes:
        server: the embedded identity server that both filters ask.
        memcached: a real one, empty at the start.
    """

    server: IdentityServer
    memcached: Memcached

    def build_ours(self, app: WsgiApp, **options: str) -> WsgiApp:
        """Put authmw in front of the app, as paste would."""
        return protect_with_ours(app, {**self.server.service_credentials, **options})

    def build_peer(self, app: WsgiApp, **options: str) -> WsgiApp:
        """Put keystonemiddleware in front of the app, as paste would."""
        return protect_with_peer(app, {**self.server.service_credentials, **options})

    @property
    def validations(self) -> int:
        """How often the identity server was asked to validate a token so far."""
        return self.server.calls["validate"]

    @contextlib.contextmanager
    def no_validation(self, what: str, *, at_most: int = 0) -> Iterator[None]:
        """Make sure that what is measured is a hit.

        Args:
            what: is measured; for the message.
            at_most: how often the identity server may be asked: a filter on a busy machine may
                take a slow answer for an outage, and validate its own token to find out.

        Raises:
            CannotMeasure: the identity server was asked meanwhile.
        """
        before = self.validations
        yield
        if self.validations > before + at_most:
            raise CannotMeasure(f"{what}: the identity server was asked in a measured request")


def protect_with_ours(app: WsgiApp, options: Mapping[str, str]) -> WsgiApp:
    """Put authmw in front of an app; it is imported by the first call."""
    import authmw

    return authmw.filter_factory({}, **options)(app)


def protect_with_peer(app: WsgiApp, options: Mapping[str, str]) -> WsgiApp:
    """Put keystonemiddleware in front of an app; it is imported by the first call."""
    from keystonemiddleware import auth_token
    from oslo_config import cfg

    # An oslo.config object of its own: the peer keeps what it registers on the global one.
    conf = cfg.ConfigOpts()
    conf([], project="benchmark", default_config_files=[], default_config_dirs=[])
    factory = auth_token.filter_factory({}, oslo_config_config=conf, **options)
    protected: WsgiApp = factory(app)
    return protected


@contextlib.contextmanager
def open_stage(*, endpoint_count: int = 0) -> Iterator[Stage]:
    """Start both servers; a catalog of 450 endpoints makes a token body of 93 KB."""
    with tempfile.TemporaryDirectory() as directory:
        memcached = Memcached(Path(directory))
        memcached.start()
        try:
            with IdentityServer(endpoint_count=endpoint_count) as server:
                yield Stage(server, memcached)
        finally:
            memcached.stop()


def silence_logs() -> None:
    """Leave out warnings: the peer gives a dozen, of options and of what it deprecates."""
    logging.basicConfig(level=logging.ERROR)
    warnings.simplefilter("ignore")


def answer(_environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Be the bare app: whatever a request costs beyond this, the filter added."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def request_with(app: WsgiApp, token: str) -> Callable[[], None]:
    """Return a function that sends the app one GET with this token, and wants a 200."""
    template = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/v1/items/42",
        "QUERY_STRING": "limit=10",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "service.example.org",
        "SERVER_PORT": "8080",
        "SERVER_SOFTWARE": "benchmark/1",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "51000",
        "RAW_URI": "/v1/items/42?limit=10",
        "HTTP_HOST": "service.example.org:8080",
        "HTTP_ACCEPT": "application/json",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate",
        "HTTP_CONNECTION": "keep-alive",
        "HTTP_USER_AGENT": "benchmark/1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": sys.stdin.buffer,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    head, tail = token[:8], token[8:]
    unexpected: list[str] = []

    def start_response(status: str, _headers: object, _exc_info: object = None) -> None:
        if status != "200 OK":
            unexpected.append(status)

    def send() -> None:
        environ = template.copy()
        # A new string, as a server makes for each request: its hash is not known yet.
        environ["HTTP_X_AUTH_TOKEN"] = head + tail
        app(environ, start_response)
        if unexpected:
            raise CannotMeasure(f"a request was answered with {unexpected[0]}")

    return send

"""Faults that clients meet."""

from __future__ import annotations

from tests.support.faults.fault import Fault
from tests.support.faults.site import Site
from tests.support.misbehaving import closed_port
from tests.support.relay import proxy

_TOO_LARGE = b"HTTP/1.1 431 Too large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FREE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BARE = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LOCKED = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n"
    b'WWW-Authenticate: Keystone uri="http://id.example"\r\n\r\n'
)


def _send_clients_nowhere(site: Site) -> None:
    site.options["www_authenticate_uri"] = f"{site.keystone.jws.url}/nothing/here"


def _send_clients_to_a_closed_port(site: Site) -> None:
    port = site.stack.enter_context(closed_port())
    site.options["www_authenticate_uri"] = f"http://127.0.0.1:{port}"


def serve_answers(site: Site, short: bytes, long: bytes) -> None:
    """Serve a service that answers requests with a long header differently."""
    port = site.stack.enter_context(proxy(short, to_long=long))
    site.service = f"http://127.0.0.1:{port}/items"


def _limit_headers(site: Site) -> None:
    serve_answers(site, _LOCKED, _TOO_LARGE)


def serve_unprotected(site: Site) -> None:
    """Serve a service without a filter."""
    serve_answers(site, _FREE, _FREE)


def _fail_and_let_the_service_decide(site: Site) -> None:
    site.options["delay_auth_decision"] = "true"
    serve_answers(site, _BROKEN, _BROKEN)


def _challenge_nobody(site: Site) -> None:
    serve_answers(site, _BARE, _BARE)


def lock(site: Site) -> None:
    """Serve a service as it should be."""
    serve_answers(site, _LOCKED, _LOCKED)


FAULTS = (
    Fault(
        "www_authenticate_uri where no Keystone is",
        _send_clients_nowhere,
        "www_authenticate_uri",
        ("no identity service answers", "HTTP 404", "public"),
    ),
    Fault(
        "www_authenticate_uri that can't be reached",
        _send_clients_to_a_closed_port,
        "www_authenticate_uri",
        ("can't be reached from here", "refused"),
        "warn",
    ),
    Fault(
        "a web server that takes short headers alone",
        _limit_headers,
        "service header limits",
        ("8000 bytes", "HTTP 431", "LimitRequestFieldSize"),
    ),
    Fault(
        "a service without the filter",
        serve_unprotected,
        "service without a token",
        ("answers 200, and not 401, to", "pipeline"),
        "warn",
    ),
    Fault(
        "a service that fails, and decides itself",
        _fail_and_let_the_service_decide,
        "service without a token",
        ("answers 500", "the server failed"),
    ),
    Fault(
        "a 401 that is another's",
        _challenge_nobody,
        "service without a token",
        ("answers 401 without WWW-Authenticate", "pipeline"),
        "warn",
    ),
)

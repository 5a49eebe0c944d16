"""Faults on the way to the identity service: names, ports, TLS, proxies."""

from __future__ import annotations

import socket
import ssl

from tests.support.faults.fault import Fault
from tests.support.faults.site import Site, setting
from tests.support.misbehaving import closed_port, listening
from tests.support.relay import proxy, tls_relay

_FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\nConnection: close\r\n\r\nforbidden"


def serve_tls(site: Site, context: ssl.SSLContext, *, host: str = "localhost") -> None:
    """Put a server with TLS in front of Keystone; `auth_url` names it."""
    port = site.stack.enter_context(tls_relay(site.keystone.jws.port, context))
    site.options["auth_url"] = f"https://{host}:{port}/v3"


def use_proxy(site: Site, url: str) -> None:
    """Name a proxy in the environment."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"):
        site.patch.delenv(name, raising=False)
    site.patch.setenv("http_proxy", url)
    site.patch.setenv("HTTPS_PROXY", url)
    # The proxy is for what is said to Keystone.
    site.patch.setenv("no_proxy", "somewhere.example")


def _close_port(site: Site) -> None:
    port = site.stack.enter_context(closed_port())
    site.options["auth_url"] = f"http://127.0.0.1:{port}/v3"


def _listen_alone(client: socket.socket) -> None:
    while client.recv(65536):
        pass


def _say_nothing(site: Site) -> None:
    listener = site.stack.enter_context(listening(_listen_alone))
    site.options["auth_url"] = f"http://127.0.0.1:{listener.getsockname()[1]}/v3"
    site.options["http_connect_timeout"] = "1"


def _write_http_for_https(site: Site) -> None:
    serve_tls(site, site.authority().server_context("localhost"))
    site.options["auth_url"] = site.options["auth_url"].replace("https://", "http://")


def _write_https_for_http(site: Site) -> None:
    site.options["auth_url"] = site.options["auth_url"].replace("http://", "https://")


def _trust_nobody(site: Site) -> None:
    serve_tls(site, site.authority().server_context("localhost"))


def _trust_another(site: Site) -> None:
    _trust_nobody(site)
    site.options["cafile"] = str(site.authority("another").cafile)


def _let_it_expire(site: Site) -> None:
    authority = site.authority()
    serve_tls(site, authority.server_context("localhost", days_left=-3))
    site.options["cafile"] = str(authority.cafile)


def _let_it_nearly_expire(site: Site) -> None:
    authority = site.authority()
    serve_tls(site, authority.server_context("localhost", days_left=5.5))
    site.options["cafile"] = str(authority.cafile)


def _certify_another_name(site: Site) -> None:
    authority = site.authority()
    serve_tls(site, authority.server_context("keystone.example"))
    site.options["cafile"] = str(authority.cafile)


def _demand_a_certificate(site: Site) -> None:
    authority = site.authority()
    context = authority.server_context("localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.cafile)
    serve_tls(site, context)
    site.options["cafile"] = str(authority.cafile)


def _use_dead_proxy(site: Site) -> None:
    use_proxy(site, f"http://127.0.0.1:{site.stack.enter_context(closed_port())}")


def _use_unknown_proxy(site: Site) -> None:
    use_proxy(site, "http://proxy.invalid:3128")


def _use_refusing_proxy(site: Site) -> None:
    use_proxy(site, f"http://127.0.0.1:{site.stack.enter_context(proxy(_FORBIDDEN))}")


def _tunnel_through_refusing_proxy(site: Site) -> None:
    let_tls_be_good(site)
    _use_refusing_proxy(site)


def let_tls_be_good(site: Site) -> None:
    """Have Keystone speak TLS, with the certificate of an authority of its own."""
    authority = site.authority()
    serve_tls(site, authority.server_context("localhost"))
    site.options["cafile"] = str(authority.cafile)


def _forget_the_path(site: Site) -> None:
    site.options["auth_url"] = f"{site.keystone.jws.url}/identity"


def _name_another_server(site: Site) -> None:
    server = site.stack.enter_context(proxy(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
    site.options["auth_url"] = f"http://127.0.0.1:{server}/v3"


FAULTS = (
    Fault(
        "a host name that is not known",
        setting(auth_url="http://keystone.invalid:5000/v3"),
        "identity name",
        ("keystone.invalid", "can't be resolved", "auth_url"),
    ),
    Fault(
        "a port that nobody listens on",
        _close_port,
        "identity connection",
        ("refused", "host and port"),
    ),
    Fault(
        "a server that accepts and is silent",
        _say_nothing,
        "identity discovery",
        ("fell silent", "look at the server"),
    ),
    Fault(
        "http where https is spoken",
        _write_http_for_https,
        "identity protocol",
        ("speaks TLS", "https://"),
    ),
    Fault(
        "https where http is spoken",
        _write_https_for_http,
        "identity TLS",
        ("plain HTTP", "auth_url says https"),
    ),
    Fault(
        "an authority that nobody knows",
        _trust_nobody,
        "identity TLS",
        ("unable to get local issuer", "set cafile", "CN=authority"),
    ),
    Fault(
        "a cafile of another authority",
        _trust_another,
        "identity TLS",
        ("cafile = ", "does not lead there", "CN=authority"),
    ),
    Fault(
        "a certificate past its end",
        _let_it_expire,
        "identity TLS",
        ("expired", "renew the certificate"),
    ),
    Fault(
        "a certificate near its end",
        _let_it_nearly_expire,
        "identity TLS",
        ("5 days left of CN=localhost", "renew"),
        "warn",
    ),
    Fault(
        "a certificate for another name",
        _certify_another_name,
        "identity TLS",
        ("it is for keystone.example", "name of the certificate"),
    ),
    Fault(
        "a client certificate that is missing",
        _demand_a_certificate,
        "identity TLS",
        ("refuses us", "certfile"),
    ),
    Fault(
        "a dead proxy",
        _use_dead_proxy,
        "identity proxy",
        ("proxy http://127.0.0.1:", "http_proxy", "refused", "no_proxy"),
    ),
    Fault(
        "a proxy that is not known",
        _use_unknown_proxy,
        "identity proxy",
        ("proxy http://proxy.invalid:3128 (http_proxy)", "can't be resolved", "no_proxy"),
    ),
    Fault(
        "a proxy that says 403 itself",
        _use_refusing_proxy,
        "identity discovery",
        ("proxy http://127.0.0.1:", "http_proxy", "403", "no_proxy"),
    ),
    Fault(
        "a proxy that makes no tunnel",
        _tunnel_through_refusing_proxy,
        "identity proxy",
        ("proxy http://127.0.0.1:", "HTTPS_PROXY", "403 Forbidden", "no_proxy"),
    ),
    Fault(
        "a path that is not Keystone's",
        _forget_the_path,
        "identity discovery",
        ("HTTP 404", "write auth_url = http://127.0.0.1:", "/v3"),
    ),
    Fault(
        "a server that is no Keystone",
        _name_another_server,
        "identity discovery",
        ("no version document of an identity service", "auth_url"),
    ),
)

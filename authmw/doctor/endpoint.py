"""Checks the way to one URL, layer by layer: proxy, name, connection, TLS or plain HTTP."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import time
from urllib.parse import SplitResult, urlsplit

from authmw.config.settings import Settings
from authmw.doctor import probes
from authmw.doctor.probes import Target
from authmw.doctor.result import Result, Results, failed, passed, skipped, warned
from authmw.doctor.trust import (
    Certificate,
    days_left,
    name_authorities,
    open_context,
    parse_certificate,
    read_chain,
)
from authmw.errors import ConfigurationError
from authmw.identity.proxies import Proxy, find_proxy
from authmw.net.addresses import TcpAddress

_PORTS = {"http": 80, "https": 443}
# Certificates that are renewed by themselves are renewed with a third of 90 days left.
_FEW_DAYS = 14
# Reasons of OpenSSL (ssl.h): the other side does not speak TLS.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")


def check_endpoint(
    settings: Settings, url: str, option: str, subject: str, *, now: float
) -> Results[bool]:
    """Check the way to a URL; returns whether requests would arrive.

    Args:
        settings: TLS and time-outs of whoever sends the requests.
        url: http or https.
        option: that names it, for the fix.
        subject: what is there, for the names of the checks.
        now: epoch seconds.
    """
    parts = _parse(url)
    if parts is None:
        yield failed(
            f"{subject} address",
            f"{option} is no http or https URL with a host",
            "write https://host",
        )
        return False
    target = Target(
        TcpAddress(parts.hostname or "", parts.port or _PORTS[parts.scheme]),
        parts.scheme,
        settings.connect_timeout,
    )
    proxy = find_proxy(url)
    if proxy is None:
        yield passed(f"{subject} proxy", "none: it is asked directly")
        reached = yield from _check_connection(target, option, subject)
    else:
        reached = yield from _check_proxy(target, proxy, subject)
    if not reached:
        return False
    if proxy is not None and target.tunnel is None:
        return True
    if target.scheme == "https":
        return (yield from _check_tls(settings, target, option, subject, now))
    if proxy is not None:
        return True
    return (yield from _check_plain(target, option, subject))


def _parse(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_usable else None


def _check_connection(target: Target, option: str, subject: str) -> Results[bool]:
    address = target.address
    began = time.monotonic()
    try:
        found = probes.resolve(address)
    except OSError as error:
        yield failed(
            f"{subject} name",
            f"the host name {address.host} can't be resolved ({error.strerror or error})",
            f"correct the host in {option}, or this host's resolver (/etc/resolv.conf, /etc/hosts)",
        )
        return False
    took = (time.monotonic() - began) * 1000
    if not _is_ip(address.host):
        yield passed(f"{subject} name", f"{address.host} is {', '.join(found)} ({took:.0f} ms)")
    refused: dict[str, str] = {}
    silent = []
    connected_ms = None
    for ip in found:
        began = time.monotonic()
        try:
            probes.connect_to(TcpAddress(ip, address.port), target.seconds).close()
        except TimeoutError:
            silent.append(ip)
            refused[ip] = "no answer in time"
        except OSError as error:
            refused[ip] = error.strerror or type(error).__name__
        else:
            connected_ms = connected_ms or (time.monotonic() - began) * 1000
    check = f"{subject} connection"
    if connected_ms is None:
        yield failed(
            check,
            f"{address} does not accept connections: "
            + ", ".join(f"{ip} {reason}" for ip, reason in refused.items()),
            f"start the service there, open the firewall, or correct host and port in {option}",
        )
        return False
    if silent:
        yield warned(
            check,
            f"{address}: no answer from {', '.join(silent)}, so that some connections wait for it",
            "remove this address from DNS, or make the host reachable",
        )
    else:
        also = f", not {', '.join(refused)}" if refused else ""
        yield passed(check, f"{address} accepts connections{also} ({connected_ms:.0f} ms)")
    return True


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_proxy(target: Target, proxy: Proxy, subject: str) -> Results[bool]:
    check = f"{subject} proxy"
    if proxy.address.lower().startswith("socks"):
        yield skipped(check, f"{proxy} speaks SOCKS: the next checks show whether it can be used")
        return True
    host = target.address.host
    fix = (
        f"correct {proxy.variable or 'it'} in the service's environment, or add {host} to no_proxy "
        "to ask it directly"
    )
    try:
        target.tunnel = probes.make_tunnel(proxy.address, target)
        probes.open_stream(target).close()
    except probes.ProxyRefused as refusal:
        yield failed(check, f"{proxy}: it answers itself {refusal}", fix)
        return False
    except socket.gaierror:
        yield failed(check, f"{proxy}: its name can't be resolved", fix)
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        yield failed(check, f"{proxy}: it can't be used ({reason})", fix)
        return False
    yield passed(check, f"{proxy} passes requests to {target.address} on")
    return True


def _check_plain(target: Target, option: str, subject: str) -> Results[bool]:
    check = f"{subject} protocol"
    try:
        said = probes.ask_plainly(target)
    except TimeoutError:
        # The next check waits as long as the filter does.
        yield skipped(check, f"{target.address} has not answered an HTTP request so far")
        return True
    # nginx and Apache answer 400 in plain HTTP to whoever forgets TLS.
    if said.startswith(b"HTTP/") and b" 400 " not in said[:16]:
        yield passed(check, "plain HTTP: nothing is encrypted on the way")
        return True
    if probes.speaks_tls(target):
        yield failed(
            check,
            f"{target.address} speaks TLS, and {option} says http",
            f"write https:// in {option}",
        )
        return False
    if said.startswith(b"HTTP/"):
        yield passed(check, "plain HTTP: nothing is encrypted on the way")
        return True
    heard = "nothing" if not said else "something else"
    yield failed(
        check,
        f"{target.address} accepts connections and answers an HTTP request with {heard}",
        f"correct the port in {option}, or look at the server there",
    )
    return False


def _check_tls(
    settings: Settings, target: Target, option: str, subject: str, now: float
) -> Results[bool]:
    check = f"{subject} TLS"
    try:
        context = open_context(settings, verify=not settings.insecure)
        with probes.open_tls(target, context) as connection:
            chain = read_chain(connection)
            version = connection.version() or "TLS"
    except ConfigurationError as error:
        yield failed(check, str(error).partition(": ")[0], error.fix)
        return False
    except ssl.SSLCertVerificationError as error:
        yield _explain_certificate(settings, target, error, option, check)
        return False
    except ssl.SSLError as error:
        yield _explain_handshake(target, error, option, check)
        return False
    except OSError as error:
        if _speaks_http(target):
            yield _plain_where_tls(target, option, check)
        else:
            yield failed(
                check,
                f"{target.address} ends the TLS handshake ({error.strerror or error})",
                f"correct the port in {option}, or look at the server there",
            )
        return False
    yield _judge_days(chain, version, now, name_authorities(settings), check)
    return True


def _speaks_http(target: Target) -> bool:
    try:
        return probes.ask_plainly(target).startswith(b"HTTP/")
    except TimeoutError:
        return False


def _judge_days(
    chain: list[Certificate], version: str, now: float, authorities: str, check: str
) -> Result:
    soonest = min(chain, key=lambda one: one.not_after, default=None)
    if soonest is None:
        return passed(check, f"{version}, verified with {authorities}")
    left = days_left(soonest, now)
    ends = f"{left} days left of {soonest.subject}, until {soonest.not_after:%Y-%m-%d}"
    if left < 0:
        return failed(check, f"{version}, not verified: {-left} days past its end", "renew it")
    if left < _FEW_DAYS:
        return warned(check, ends, "renew this certificate, and have the server load it")
    return passed(check, f"{version}, verified with {authorities}; {ends}")


def _explain_certificate(
    settings: Settings,
    target: Target,
    error: ssl.SSLCertVerificationError,
    option: str,
    check: str,
) -> Result:
    reason = error.verify_message
    certificate = _read_certificate(settings, target)
    if certificate is None:
        return failed(check, f"the server's certificate is refused: {reason}", "look at it")
    cause = f"the certificate of {target.address} ({certificate.subject}) is refused: {reason}"
    if "expired" in reason or "not yet valid" in reason:
        return failed(
            check,
            f"{cause}; it is valid from {certificate.not_before:%Y-%m-%d} to "
            f"{certificate.not_after:%Y-%m-%d}",
            "renew the certificate on the server, or set this host's clock",
        )
    if "mismatch" in reason.lower():
        names = ", ".join(certificate.names) or "no name"
        return failed(
            check,
            f"{cause}; it is for {names}",
            f"write a name of the certificate in {option}, or have one made for "
            f"{target.address.host}",
        )
    authorities = name_authorities(settings)
    return failed(
        check,
        f"{cause}; it was issued by {certificate.issuer}, and {authorities} "
        + ("does" if "=" in authorities else "do")
        + " not lead there",
        "set cafile to a PEM file with that authority, or have the server send its intermediate "
        "certificates as well",
    )


def _read_certificate(settings: Settings, target: Target) -> Certificate | None:
    with contextlib.suppress(OSError, ValueError, ConfigurationError):
        context = open_context(settings, verify=False)
        with probes.open_tls(target, context) as connection:
            der = connection.getpeercert(binary_form=True)
            return None if der is None else parse_certificate(der)
    return None


def _explain_handshake(target: Target, error: ssl.SSLError, option: str, check: str) -> Result:
    reason = error.reason or str(error)
    if reason in _NOT_TLS or _speaks_http(target):
        return _plain_where_tls(target, option, check)
    if "CERTIFICATE" in reason or "HANDSHAKE_FAILURE" in reason:
        return failed(
            check,
            f"{target.address} refuses us in the TLS handshake ({reason.lower()})",
            "set certfile and keyfile to a client certificate that the server accepts",
        )
    return failed(
        check,
        f"the TLS handshake with {target.address} failed ({reason.lower()})",
        "compare the TLS versions and ciphers that the server accepts: TLS 1.2 or later is needed",
    )


def _plain_where_tls(target: Target, option: str, check: str) -> Result:
    return failed(
        check,
        f"{target.address} does not speak TLS but plain HTTP, and {option} says https",
        f"write the port of https in {option}, or http:// if the network is trusted",
    )

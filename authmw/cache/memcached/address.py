"""Reads the servers that `memcached_servers` names."""

from __future__ import annotations

import ipaddress
import re

from authmw.errors import ConfigurationError
from authmw.net.addresses import Address, TcpAddress, UnixAddress

DEFAULT_PORT = 11211

_HOST = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_FIX = (
    "write host, host:port, [IPv6 address]:port, inet6:[IPv6 address]:port or unix:/path, "
    "with commas between servers"
)


def parse_address(written: str) -> Address:
    """Read one item of `memcached_servers`.

    All spellings of python-memcached, pymemcache and python-binary-memcached are accepted; the
    port may be left out. All spellings of a server give one address, so processes that spell it
    differently choose the same server for a key.

    Raises ConfigurationError for anything else.
    """
    text = written.strip()
    if text.startswith("/"):
        return UnixAddress(text)
    family, colon, rest = text.partition(":")
    if colon and family == "unix":
        if not rest.startswith("/"):
            raise ConfigurationError("memcached_servers", written, _FIX)
        return UnixAddress(rest)
    if colon and family in ("inet", "inet6"):
        text = rest
    if _is_ipv6(text):
        return TcpAddress(text, DEFAULT_PORT)
    host, port = _split_port(text)
    in_brackets = host.startswith("[") and host.endswith("]")
    if not (_is_ipv6(host[1:-1]) if in_brackets else _HOST.fullmatch(host)):
        raise ConfigurationError("memcached_servers", written, _FIX)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigurationError("memcached_servers", written, _FIX)
    return TcpAddress(host.strip("[]"), int(port))


def _split_port(text: str) -> tuple[str, str]:
    if text.endswith("]") or ":" not in text:
        return text, str(DEFAULT_PORT)
    host, _, port = text.rpartition(":")
    return host, port


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True

"""Which proxy of the environment a request goes through, and which variable names it."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import urlsplit


class Proxy(NamedTuple):
    """A proxy of the environment.

    Attributes:
        address: as the variable has it.
        variable: of the environment; "" if the operating system's settings name it.
    """

    address: str
    variable: str

    def __str__(self) -> str:
        # Without user and password (RFC 3986 §3.2.1).
        scheme, _, rest = self.address.rpartition("://")
        address = f"{scheme or 'http'}://{rest.rpartition('@')[2]}"
        return f"proxy {address} ({self.variable or 'of the system'})"


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy that requests to an address go through; None: they go there directly."""
    # Imported here: it takes long, and only failures ask.
    from requests.utils import get_environ_proxies, select_proxy

    try:
        address = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    except ValueError:
        return None
    return None if not address else Proxy(address, _find_variable(url, address))


def _find_variable(url: str, address: str) -> str:
    for name in (urlsplit(url).scheme, "all"):
        for variable in (f"{name}_proxy", f"{name}_proxy".upper()):
            value = os.environ.get(variable)
            if value and (value == address or address.endswith(f"://{value}")):
                return variable
    return ""

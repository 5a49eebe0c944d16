"""Which proxy of the environment the filter's requests go through; `requests` decides."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it."""

    url: str
    variable: str

    def __str__(self) -> str:
        parts = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        return f"proxy {address} ({self.variable})"


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy for a URL; None: it is asked directly."""
    found = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    if not found:
        return None
    scheme = urlsplit(url).scheme
    for name in (f"{scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            value = os.environ.get(variable)
            if value and value.rstrip("/").endswith(found.rpartition("//")[2].rstrip("/")):
                return Proxy(found, variable)
    return Proxy(found, f"{scheme}_proxy")

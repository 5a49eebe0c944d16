"""requests' connections, with our deadline and the authorities that we trust."""

from __future__ import annotations

import http.cookiejar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import SSLError
from urllib3.poolmanager import PoolManager

from authmw.errors import DeadlineExceeded
from authmw.identity.connections import DeadlineHTTPConnectionPool, DeadlineHTTPSConnectionPool
from authmw.net.pem_files import has_system_authorities
from authmw.net.tls import make_tls_context

_POOL_SIZE = 32


class DeadlinePoolsAdapter(HTTPAdapter):
    """Connects within `authmw.net.deadline`, by way of a proxy of the environment as well."""

    def __init__(self) -> None:
        super().__init__(pool_connections=_POOL_SIZE, pool_maxsize=_POOL_SIZE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that respect the deadline."""
        super().init_poolmanager(*args, **kwargs)
        _use_deadline_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Use such connections to a proxy of the environment as well."""
        if proxy not in self.proxy_manager and proxy.lower().startswith("https"):
            kwargs["proxy_ssl_context"] = make_tls_context(verify=True)
            kwargs["proxy_ssl_context"].load_default_certs()
        manager = super().proxy_manager_for(proxy, **kwargs)
        _use_deadline_pools(manager)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Trust the system's authorities where neither `cafile` nor the environment names any."""
        super().cert_verify(conn, url, verify, cert)
        if verify is True:
            # requests names certifi's authorities in its own way from version to version.
            conn.ca_certs = None if has_system_authorities() else DEFAULT_CA_BUNDLE_PATH


def send_nothing_of_others(session: requests.Session) -> None:
    """Have a session send what we set alone: no cookie of an answer, no password of a .netrc file.

    Proxies and authorities that the environment names apply, as with keystonemiddleware. No content
    coding is asked for.
    """
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    session.auth = _add_nothing
    session.headers["Accept-Encoding"] = "identity"


def _add_nothing(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _use_deadline_pools(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {
        "http": DeadlineHTTPConnectionPool,
        "https": DeadlineHTTPSConnectionPool,
    }


def innermost_reason(error: Exception) -> str:
    """Return the innermost reason, unless its text may hold what we sent."""
    if isinstance(error, DeadlineExceeded):
        return ""
    reason: object = error
    while isinstance(reason, Exception):
        inner = getattr(reason, "reason", None)
        if not isinstance(inner, Exception):
            inner = next((part for part in reason.args if isinstance(part, Exception)), None)
        if inner is None:
            break
        reason = inner
    if isinstance(reason, OSError | SSLError):
        return f"{type(reason).__name__}: {reason}"
    return type(reason).__name__

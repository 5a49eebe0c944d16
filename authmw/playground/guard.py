"""Keeps other web pages out of the playground, which listens on the loopback interface.

A page on the internet can make a browser send requests to 127.0.0.1, and can have its own name
resolve to it (DNS rebinding). So requests must name this server in Host; what does something
must come from a page of its own, which alone knows the key; and no response lets another origin
read it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final

# Nothing but the files of this server; no inline script, no HTML made by a script.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""Of every response of the playground's own."""


class Guard:
    """Decides which requests are of this server's own page.

    Args:
        port: of the server.

    Attributes:
        key: a page of this server sends it with what does something.
        host: the server, as its URL names it.
    """

    def __init__(self, port: int) -> None:
        self.key = secrets.token_urlsafe(32)
        self.host = f"127.0.0.1:{port}"
        self._hosts = frozenset({self.host, f"localhost:{port}"})

    def find_host(self, environ: Mapping[str, Any]) -> str | None:
        """Return the server as the client names it; None: it means another one."""
        host = str(environ.get("HTTP_HOST", "")).lower()
        return host if host in self._hosts else None

    def is_own(self, environ: Mapping[str, Any], host: str) -> bool:
        """Tell whether a request comes from a page of this server.

        Args:
            environ: of the request.
            host: of `find_host`.
        """
        key = str(environ.get("HTTP_X_PLAYGROUND_KEY", ""))
        return (
            hmac.compare_digest(key.encode("utf-8", "replace"), self.key.encode())
            # Browsers send it with every POST (Fetch, section 3.2); programs don't.
            and environ.get("HTTP_ORIGIN", f"http://{host}") == f"http://{host}"
            and environ.get("HTTP_SEC_FETCH_SITE", "same-origin") == "same-origin"
            # A form can't send this type, so that a browser would ask first (CORS).
            and environ.get("CONTENT_TYPE", "").partition(";")[0].strip() == "application/json"
        )

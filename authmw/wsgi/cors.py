"""CORS headers (Fetch standard) for the middleware's own responses.

The app's own responses are left to the app, and so is the preflight, which
`allow_cors_preflight` lets through to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

ANY_ORIGIN = "*"

_DEFAULT_PORTS = {"http": 80, "https": 443}
# A host name (international ones in ASCII form) or an address.
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.ASCII)
_EXPOSE = "Access-Control-Expose-Headers"
# Without them a page sees the status alone, not where to get a token or when to retry.
_EXPOSED = "WWW-Authenticate, Retry-After"
_NONCE = "DPoP-Nonce"  # RFC 9449 §8.2


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """The origins that may read the middleware's own responses (`cors_allowed_origins`).

    Access-Control-Allow-Credentials is never sent: a page sets the token header itself, and
    cookies have no meaning here. So "*" reveals nothing that a page could not get without a
    browser.

    Attributes:
        exposes_nonce: whether there are nonces for pages to read (RFC 9449 §8.2).
    """

    allowed_origins: frozenset[str]
    exposes_nonce: bool = False

    def headers_for(
        self, origin: str | None, response_headers: Iterable[tuple[str, str]] = ()
    ) -> list[tuple[str, str]]:
        """Return the headers to add to one response.

        An origin that is not allowed gets only Vary, so that no cache on the way serves one
        origin the response to another (RFC 9110 §12.5.5).

        Args:
            origin: the Origin header of the request; None: it had none.
            response_headers: those of the response. If another CORS filter has added its own,
                nothing is added: browsers refuse a response with both.
        """
        if not self.allowed_origins or allows_an_origin(response_headers):
            return []
        exposed = (_EXPOSE, f"{_EXPOSED}, {_NONCE}" if self.exposes_nonce else _EXPOSED)
        if ANY_ORIGIN in self.allowed_origins:
            return [("Access-Control-Allow-Origin", ANY_ORIGIN), exposed]
        vary = ("Vary", "Origin")
        if origin is None or origin not in self.allowed_origins:
            return [vary]
        return [("Access-Control-Allow-Origin", origin), exposed, vary]


def expose(added: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Return the header that lets pages read headers which are added to an app's response.

    It may stand beside another of that name: a browser takes them together (Fetch, "header list").
    """
    return _EXPOSE, ", ".join(dict.fromkeys(name for name, _ in added))


def allows_an_origin(headers: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a CORS filter lets some page read a response with these headers."""
    return any(name.lower() == "access-control-allow-origin" for name, _ in headers)


def verify_origins(origins: Collection[str]) -> None:
    """Check the value of `cors_allowed_origins`.

    Raises:
        ValueError: an origin is not written as browsers write it (RFC 6454 §6.2) and would never
            match, or any page could claim it; the message says what to write.
    """
    if ANY_ORIGIN in origins and len(origins) > 1:
        raise ValueError("write either * or origins: * allows them all")
    for origin in origins:
        if origin == "null":
            raise ValueError("null is what every sandboxed page says it is: name real origins")
        if origin != ANY_ORIGIN and origin != _normalize(origin):
            raise ValueError(
                f"{origin} is not how a browser writes an origin: https://app.example.org or "
                "https://app.example.org:8443, in lower case, without a path and without the "
                "scheme's own port"
            )


def _normalize(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(parts.hostname or ""):
        return None
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    shown_port = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown_port}"

"""Reads an ASGI scope into the environ that decisions are made on, and tells the app who calls.

The environ has what the authenticator reads, in the form of PEP 3333, and nothing else. A header's
name counts however it is written: in capitals, with underscores for hyphens, or with white space,
which servers should have refused and some frameworks take for the same.
"""

from __future__ import annotations

from typing import Any, Final

from authmw.asgi.interface import Scope
from authmw.checks.presented_token import COPIED
from authmw.runtime.request import IS_ASGI
from authmw.token import Token, headers
from authmw.validation.proofs import PROVEN

RawHeader = tuple[bytes, bytes]

# Lower case, hyphens, no white space.
_FOLD: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_", b"abcdefghijklmnopqrstuvwxyz-")
_DROPPED: Final = b" \t\r\n\0"

_RESERVED: Final = frozenset(
    headers.to_scope_name(key) for key in headers.RESERVED_KEYS if key.startswith("HTTP_")
)
# Headers that decisions are made on.
_READ: Final = {
    headers.to_scope_name(key): key
    for key in (
        "HTTP_AUTHORIZATION",
        "HTTP_DPOP",
        "HTTP_ORIGIN",
        "HTTP_X_AUTH_TOKEN",
        "HTTP_X_OPENSTACK_REQUEST_ID",
        "HTTP_X_SERVICE_TOKEN",
        "HTTP_X_STORAGE_TOKEN",
    )
}
# Those of nearly every request, so that they cost one look-up.
_OTHERS: Final = frozenset(
    b"accept accept-encoding accept-language cache-control connection content-length content-type"
    b" cookie forwarded host pragma priority range referer sec-ch-ua sec-ch-ua-mobile"
    b" sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site traceparent tracestate"
    b" transfer-encoding upgrade-insecure-requests user-agent x-forwarded-for x-forwarded-host"
    b" x-forwarded-port x-forwarded-proto x-real-ip x-request-id".split()
)
_TOKEN_NAME: Final = b"x-auth-token"
# Keys of the environ that the app finds in its scope, and a middleware of ours behind this one.
_CARRIED: Final = (*headers.ENVIRON_OBJECTS, COPIED, PROVEN)


def read_scope(scope: Scope) -> tuple[dict[str, Any], list[RawHeader]]:
    """Return the environ of a request, and the headers that the client may send to the app.

    Several headers of one name become one value with commas, as servers do (RFC 9110 §5.3): two
    tokens are none.

    Args:
        scope: of a request or a websocket (ASGI, "HTTP Connection Scope").
    """
    path: str = scope["path"]
    root_path: str = scope.get("root_path") or ""
    if root_path:
        root_path, path = _split_path(root_path, path)
    environ: dict[str, Any] = {
        IS_ASGI: True,
        "REQUEST_METHOD": scope.get("method", "GET"),  # a websocket has none; its handshake is GET
        "SCRIPT_NAME": root_path if root_path.isascii() else _to_environ_text(root_path),
        "PATH_INFO": path if path.isascii() else _to_environ_text(path),
    }
    client = scope.get("client")
    if client:
        environ["REMOTE_ADDR"] = client[0]
    extensions = scope.get("extensions")
    if extensions and "tls" in extensions:
        _read_certificate(environ, extensions["tls"])
    kept: list[RawHeader] = []
    for header in scope["headers"]:
        name, value = header
        if name in _OTHERS:
            kept.append(header)
            continue
        folded = name.translate(_FOLD, _DROPPED)
        if folded in _RESERVED:
            continue
        key = _READ.get(folded)
        if key is None:
            kept.append(header)
        elif name.lower() == folded:
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
            kept.append((folded, value))
        # Else it is left out: who reads it as a token would read one that nobody has checked.
    if COPIED in scope:
        _mark_copy(scope[COPIED], environ, kept)
    if PROVEN in scope:
        environ[PROVEN] = scope[PROVEN]
    return environ, kept


def _mark_copy(copied: str, environ: dict[str, Any], kept: list[RawHeader]) -> None:
    """Tell a token that a middleware of ours in front has copied from one that the client sent."""
    if environ.get("HTTP_X_AUTH_TOKEN") == copied:
        environ[COPIED] = environ["HTTP_X_AUTH_TOKEN"]
        kept[:] = [header for header in kept if header[0] != _TOKEN_NAME]


def make_scope(scope: Scope, kept: list[RawHeader], environ: dict[str, Any]) -> dict[str, Any]:
    """Return the scope for the app: the caller's identity, and what the client may say.

    Args:
        scope: as the server made it.
        kept: of `read_scope`; changed.
        environ: of `read_scope`, after the authenticator has admitted the request.
    """
    token: Token | None = environ.get(headers.TOKEN)
    if token is None:
        kept.append((b"x-identity-status", environ[headers.USER_STATUS_KEY].encode("ascii")))
    else:
        kept += token.principal.scope_headers
        if COPIED in environ:
            kept.append((_TOKEN_NAME, environ[COPIED].encode("latin-1")))
    if headers.SERVICE_STATUS_KEY in environ:
        kept += headers.render_scope({k: environ[k] for k in headers.SERVICE_KEYS if k in environ})
    inner = dict(scope)
    inner["headers"] = kept
    for name in _CARRIED:
        if name in environ:
            inner[name] = environ[name]
        else:
            inner.pop(name, None)
    return inner


def _split_path(root_path: str, path: str) -> tuple[str, str]:
    """Return SCRIPT_NAME and PATH_INFO: as frameworks that route on the path see them.

    The path begins with root_path (ASGI, "root_path"), unless the server, or whoever set it, left
    that out.
    """
    if path == root_path or path.startswith(f"{root_path}/"):
        return root_path, path[len(root_path) :]
    return root_path, path


def _to_environ_text(path: str) -> str:
    """Return the path with a character for each byte (PEP 3333, "Unicode Issues").

    Servers put U+FFFD for bytes that are no UTF-8, so that many paths become one: it becomes a byte
    that no pattern matches. So does a lone surrogate.
    """
    octets = path.encode("utf-8", "surrogatepass").replace(b"\xef\xbf\xbd", b"\xff")
    return octets.decode("latin-1")


def _read_certificate(environ: dict[str, Any], tls: Any) -> None:
    """Read the client's certificate (ASGI, "TLS Extension"), the first of its chain, in PEM."""
    chain = list(tls.get("client_cert_chain") or ())
    if chain:
        environ["SSL_CLIENT_CERT"] = chain[0]

"""What keystonemiddleware's OAuth2 filters take a request's identity from, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

_IGNORED = ("HTTP_X_AUTH_TOKEN", "HTTP_X_STORAGE_TOKEN", "HTTP_X_SERVICE_TOKEN")

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class BearerOnly:
    """Stands in front of a filter that shall read `Authorization: Bearer` alone (PEP 3333).

    A server that keeps its socket to itself sets SSL_CLIENT_CERT; with eventlet's, the client's
    certificate is read from the socket.

    Args:
        app: the filter.
    """

    def __init__(self, app: WsgiApp) -> None:
        self._app = app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        for key in _IGNORED:
            environ.pop(key, None)
        if not environ.get("SSL_CLIENT_CERT"):
            certificate = _read_certificate(environ)
            if certificate is not None:
                environ["SSL_CLIENT_CERT"] = certificate
        return self._app(environ, start_response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)


def _read_certificate(environ: dict[str, Any]) -> str | None:
    """Return the client's certificate in PEM, None if the server does not offer it."""
    get_socket = getattr(environ.get("wsgi.input"), "get_socket", None)
    if get_socket is None:
        return None
    try:
        encoded = get_socket().getpeercert(binary_form=True)
    except Exception:  # noqa: BLE001 - of any server's object
        return None
    if not encoded:
        return None
    text = base64.encodebytes(encoded).decode("ascii").replace("\n", "")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])

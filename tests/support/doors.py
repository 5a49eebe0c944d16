"""The two doors of a filter: WSGI, and ASGI seen as if it were WSGI, so that tests try both.

The app behind is a WSGI app either way. Between them are a scope, headers as bytes and an event
loop of its own for each request, as a server would make them.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import authmw.asgi
from authmw.asgi.interface import AsgiApp, Message, Receive, Scope, Send
from authmw.build import FilterParts
from authmw.middleware import AuthMiddleware, WsgiApp
from authmw.token.headers import RESERVED_KEYS
from authmw.wsgi.streaming import close

DOORS = ("wsgi", "asgi")
# Of a scope, that an app behind the door reads as of an environ.
_OBJECTS = ("keystone.token_info", "keystone.token_auth", "authmw.token")


class AsgiDoor:
    """A WSGI app that is an ASGI middleware in front of a WSGI app.

    Args:
        app: behind the middleware.
        parts: of the filter.
    """

    def __init__(self, app: WsgiApp, parts: FilterParts) -> None:
        self.middleware = authmw.asgi.AuthMiddleware.from_parts(as_asgi(app), parts)
        self._parts = parts

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        scope = make_scope(environ)
        body = environ.get("wsgi.input", io.BytesIO()).read(int(environ.get("CONTENT_LENGTH") or 0))
        sent = asyncio.run(call(self.middleware, scope, body))
        start, *rest = sent
        headers = [(_to_usual(name), value.decode("latin-1")) for name, value in start["headers"]]
        reason = {200: "OK", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}
        status = start["status"]
        start_response(f"{status} {reason.get(status, 'Something')}", headers)
        return [message.get("body", b"") for message in rest]

    def close(self) -> None:
        """Close the filter as well."""
        self.middleware.close()
        self._parts.close()


Middleware = AuthMiddleware | AsgiDoor


def open_door(door: str, app: WsgiApp, parts: FilterParts) -> Middleware:
    """Put a filter in front of a WSGI app, at one of DOORS."""
    return AsgiDoor(app, parts) if door == "asgi" else AuthMiddleware.from_parts(app, parts)


async def call(app: AsgiApp, scope: Scope, body: bytes = b"") -> list[Message]:
    """Call an ASGI app as a server does; returns what it sends."""
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def make_scope(environ: dict[str, Any]) -> Scope:
    """Return the scope of the request that this environ is of."""
    headers = [
        (_to_name(key), _encode(value)) for key, value in environ.items() if key.startswith("HTTP_")
    ]
    root_path, path = (
        str(environ.get(key, "")).encode("latin-1").decode("utf-8", "replace")
        for key in ("SCRIPT_NAME", "PATH_INFO")
    )
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": root_path + path,
        "raw_path": (root_path + path).encode("utf-8", "replace"),
        "root_path": root_path,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": headers,
        "client": (environ["REMOTE_ADDR"], 50000) if "REMOTE_ADDR" in environ else None,
        "server": ("127.0.0.1", 80),
        **{key: environ[key] for key in _OBJECTS if key in environ},
    }
    if "SSL_CLIENT_CERT" in environ:
        scope["extensions"] = {"tls": {"client_cert_chain": [environ["SSL_CLIENT_CERT"]]}}
    return scope


def _to_name(key: str) -> bytes:
    return key.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1")


def _to_usual(name: bytes) -> str:
    """Return a header's name as WSGI apps write it."""
    return name.decode("latin-1").title().replace("Www-", "WWW-").replace("Dpop-", "DPoP-")


def _encode(value: Any) -> Any:
    """Return a header's value as bytes; what no header can be stays what it is."""
    if not isinstance(value, str):
        return value
    try:
        return value.encode("latin-1")
    except UnicodeError:
        return value.encode("utf-8", "surrogatepass")


def as_asgi(app: WsgiApp) -> AsgiApp:
    """Return an ASGI app that is this WSGI app, called in the event loop's thread."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        environ = make_environ(scope, message.get("body", b""))
        begun: list[tuple[str, Iterable[tuple[str, str]]]] = []

        def start_response(status: str, headers: Any, _exc_info: Any = None) -> Any:
            begun.append((status, headers))
            return lambda _: None

        body = app(environ, start_response)
        chunks = list(body)
        close(body)
        status, headers = begun[-1]
        encoded = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in headers]
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": encoded})
        await send({"type": "http.response.body", "body": b"".join(chunks)})

    return asgi


def make_environ(scope: Scope, body: bytes = b"") -> dict[str, Any]:
    """Return the environ of a scope, as bridges between the two make it."""
    root_path: str = scope["root_path"]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root_path,
        "PATH_INFO": scope["path"].removeprefix(root_path).encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": "service.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{key: scope[key] for key in _OBJECTS if key in scope},
    }
    for name, octets in scope["headers"]:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        value = octets.decode("utf-8" if key in RESERVED_KEYS else "latin-1")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ

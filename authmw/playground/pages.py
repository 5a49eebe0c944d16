"""Answers browsers: the page, its two files, and the request it asks for; serves the modes, too."""

from __future__ import annotations

import html
import json
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from authmw.playground.guard import HEADERS, Guard
from authmw.playground.modes import MODES, Worlds
from authmw.playground.personas import PERSONAS
from authmw.playground.requests import METHODS, MODES_PATH, BadWish, Wish, make_key
from authmw.playground.watching import Seen, name_header, summarize, watch_request
from authmw.runtime.fingerprint import fingerprint
from authmw.token import headers

_FILES: Final[Mapping[str, str]] = {
    "/playground.js": "text/javascript; charset=utf-8",
    "/playground.css": "text/css; charset=utf-8",
    "/icon.svg": "image/svg+xml",
}
_HTML = "text/html; charset=utf-8"
_MAX_BODY_BYTES = 200_000
_LONGEST_VALUE = 160
_TOKENS: Final = ("HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN", "HTTP_X_STORAGE_TOKEN")

StartResponse = Callable[..., Any]


class Pages:
    """The WSGI app of the playground.

    Args:
        worlds: of the modes.
        guard: knows which requests are of its own page.
    """

    def __init__(self, worlds: Worlds, guard: Guard) -> None:
        self._worlds = worlds
        self._guard = guard
        self._page = _render_page(guard.key)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        host = self._guard.find_host(environ)
        if host is None:
            return _answer_error(
                start_response, "421 Misdirected Request", f"this is {self._guard.host}"
            )
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if path.startswith(f"{MODES_PATH}/"):
            return self._serve_mode(environ, start_response)
        if path == "/api/requests":
            if method != "POST":
                return _answer_error(start_response, "405 Method Not Allowed", "POST")
            if not self._guard.is_own(environ, host):
                return _answer_error(
                    start_response, "403 Forbidden", "only the playground's own page may ask"
                )
            return self._send(environ, start_response, host)
        if method not in ("GET", "HEAD"):
            return _answer_error(start_response, "405 Method Not Allowed", "GET")
        if path == "/":
            return _answer(start_response, "200 OK", _HTML, self._page)
        if path in _FILES:
            return _answer(start_response, "200 OK", _FILES[path], _read_file(path[1:]))
        return _answer_error(start_response, "404 Not Found", "there is one page: /")

    def _serve_mode(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        mode, _, rest = environ["PATH_INFO"][len(MODES_PATH) + 1 :].partition("/")
        if mode not in MODES:
            return _answer_error(start_response, "404 Not Found", "there is no such mode")
        environ["SCRIPT_NAME"] = f"{MODES_PATH}/{mode}"
        environ["PATH_INFO"] = f"/{rest}"
        return self._worlds.get(mode).app(environ, start_response)

    def _send(
        self, environ: Mapping[str, Any], start_response: StartResponse, host: str
    ) -> Iterable[bytes]:
        try:
            wish = Wish.read(_read_json(environ))
            world = self._worlds.get(wish.mode)
            brought = world.headers_of(wish.persona, is_new=wish.is_new_token)
            sent = wish.with_token(brought)
        except BadWish as error:
            return _answer_error(start_response, "400 Bad Request", str(error))
        seen = watch_request(world.app, wish.make_environ(sent, host))
        document = {**_describe(seen, wish), "curl": wish.make_curl(sent, host)}
        body = json.dumps(document).encode()
        return _answer(start_response, "200 OK", "application/json", body)


def _describe(seen: Seen, wish: Wish) -> dict[str, object]:
    """Return what the page shows of a request."""
    return {
        "status": seen.status,
        "headers": seen.headers,
        "body": seen.body.decode("utf-8", "replace"),
        "milliseconds": seen.milliseconds,
        "stages": [
            {
                "stage": one.stage,
                "state": one.state,
                "decision": one.decision,
                "milliseconds": one.milliseconds,
                "steps": [
                    {
                        "name": step.name,
                        "decision": step.decision,
                        "accepted": step.is_accepted,
                        "milliseconds": step.milliseconds,
                        "depth": step.depth,
                    }
                    for step in one.steps
                ],
            }
            for one in summarize(seen)
        ],
        "sent": [
            {
                "name": name,
                "value": value,
                "removed": make_key(name) in seen.removed,
            }
            for name, value in wish.headers
        ],
        "service": None if seen.service is None else _list_headers(seen.service),
    }


def _list_headers(environ: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the headers that a service got; those of the middleware first, as its table does."""
    origins = {
        headers.to_environ_key(one.name): "middleware, deprecated"
        if one.deprecated
        else "middleware"
        for one in headers.IDENTITY_HEADERS
    }
    listed = [key for key in origins if key in environ]
    listed += sorted(
        key
        for key in environ
        if key.startswith("HTTP_") and key not in origins and key != "HTTP_HOST"
    )
    return [
        {
            "name": name_header(key),
            "value": _shorten(key, str(environ[key])),
            "from": origins.get(key, "middleware" if key in headers.RESERVED_KEYS else "client"),
        }
        for key in listed
    ]


def _shorten(key: str, value: str) -> str:
    if key in _TOKENS:
        return f"(the token, fingerprint {fingerprint(value)})"
    if key == "HTTP_AUTHORIZATION":
        scheme, _, token = value.partition(" ")
        return f"{scheme} (the token, fingerprint {fingerprint(token)})"
    if len(value) > _LONGEST_VALUE:
        return f"{value[:_LONGEST_VALUE]}... ({len(value)} characters)"
    return value


def _read_json(environ: Mapping[str, Any]) -> object:
    length = str(environ.get("CONTENT_LENGTH") or "0")
    if not length.isascii() or not length.isdigit() or int(length) > _MAX_BODY_BYTES:
        raise BadWish("the body is too long")
    try:
        return json.loads(environ["wsgi.input"].read(int(length)))
    # A RecursionError is what deep nesting ends with.
    except (ValueError, RecursionError):
        raise BadWish("the body is no JSON") from None


def _render_page(key: str) -> bytes:
    page = string.Template(_read_file("playground.html").decode("utf-8"))
    modes = {name: (mode.title, mode.description) for name, mode in MODES.items()}
    personas = {name: (persona.title, "") for name, persona in PERSONAS.items()}
    return page.substitute(
        key=html.escape(key),
        modes=_render_options(modes),
        personas=_render_options(personas),
        methods=_render_options({method: (method, "") for method in METHODS}),
    ).encode("utf-8")


def _render_options(options: Mapping[str, tuple[str, str]]) -> str:
    return "\n".join(
        f'<option value="{html.escape(name)}" data-description="{html.escape(description)}">'
        f"{html.escape(title)}</option>"
        for name, (title, description) in options.items()
    )


def _read_file(name: str) -> bytes:
    return resources.files("authmw.playground").joinpath("static", name).read_bytes()


def _answer(
    start_response: StartResponse,
    status: str,
    content_type: str,
    body: bytes,
    more: Sequence[tuple[str, str]] = (),
) -> Iterable[bytes]:
    length = ("Content-Length", str(len(body)))
    start_response(status, [("Content-Type", content_type), length, *HEADERS, *more])
    return [body]


def _answer_error(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
    body = json.dumps({"error": text}).encode()
    return _answer(start_response, status, "application/json", body)

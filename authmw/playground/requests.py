"""One request as a browser asks for it: what may be asked for, and the curl line for the same."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import unquote_to_bytes

from authmw.playground.modes import MODES
from authmw.playground.personas import PERSONAS

METHODS: Final = ("GET", "POST")
MODES_PATH: Final = "/modes"
"""The services are served below, each under the name of its mode."""

_MAX_HEADERS = 30
_MAX_VALUE = 4000
_MAX_PATH = 500
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,98}[A-Za-z0-9])?")
# Visible ASCII (RFC 3986), without a query, a fragment, or what curl takes for a pattern.
_PATH = re.compile(r"/[^\x00-\x20\x7f-\U0010ffff?#\[\]{}\\\"<>^`|]*")
_VALUE = re.compile(r"[\x20-\x7e]*")
# What frames or routes a message, or has a place of its own in a WSGI environ.
_REFUSED: Final = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class BadWish(ValueError):
    """What a browser asks for can't be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that is to be sent.

    Attributes:
        mode: of `MODES`.
        persona: of `PERSONAS`.
        method: of `METHODS`.
        path: as in a URL.
        headers: what the client sends besides the token, in order.
        is_new_token: whether a token is wanted that was never sent.
    """

    mode: str
    persona: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    is_new_token: bool

    @classmethod
    def read(cls, document: object) -> Self:
        """Read what a browser sent, which is untrusted.

        Raises:
            BadWish: something is missing, or can't be sent.
        """
        if not isinstance(document, dict):
            raise BadWish("an object is expected")
        path = document.get("path")
        if not isinstance(path, str) or len(path) > _MAX_PATH or not _PATH.fullmatch(path):
            raise BadWish("the path begins with /, and has neither spaces nor a query")
        return cls(
            _choose(document, "mode", MODES),
            _choose(document, "persona", PERSONAS),
            _choose(document, "method", METHODS),
            path,
            _read_headers(document.get("headers")),
            document.get("new_token") is True,
        )

    def with_token(self, brought: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return all headers of the request.

        Args:
            brought: the header with the persona's token, or none.

        Raises:
            BadWish: the client is to send that header as well.
        """
        own = {name.lower() for name in brought}
        for name, _ in self.headers:
            if name.lower() in own:
                raise BadWish(f"{name} brings the persona's token: choose nobody to send another")
        return (*brought.items(), *self.headers)

    def make_environ(self, sent: tuple[tuple[str, str], ...], host: str) -> dict[str, Any]:
        """Return the environ in which a server hands over the request (PEP 3333).

        Args:
            sent: all headers.
            host: of the server, with its port.
        """
        name, _, port = host.partition(":")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": f"{MODES_PATH}/{self.mode}",
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "QUERY_STRING": "",
            "SERVER_NAME": name,
            "SERVER_PORT": port,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": host,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for header, value in sent:
            key = make_key(header)
            # Servers join what comes twice (RFC 9110 section 5.3).
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ

    def make_curl(self, sent: tuple[tuple[str, str], ...], host: str) -> str:
        """Return the command that sends the same request to the same filter."""
        words = ["curl", "-i"]
        if self.method != "GET":
            words += ["-X", self.method]
        if "/." in self.path:
            words.append("--path-as-is")
        for name, value in sent:
            # A colon without a value would tell curl to leave the header out.
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
        words.append(f"http://{host}{MODES_PATH}/{self.mode}{self.path}")
        return shlex.join(words)


def make_key(header: str) -> str:
    """Return the environ key of a header."""
    return f"HTTP_{header.replace('-', '_').upper()}"


def _choose(document: Mapping[str, object], name: str, choices: object) -> str:
    chosen = document.get(name)
    known = list(choices)  # type: ignore[call-overload]
    if chosen not in known:
        raise BadWish(f"{name} is one of {', '.join(known)}")
    return str(chosen)


def _read_headers(listed: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(listed, list) or len(listed) > _MAX_HEADERS:
        raise BadWish(f"headers are a list of at most {_MAX_HEADERS}")
    headers = []
    for pair in listed:
        if not (
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
        ):
            raise BadWish("a header is a name and a value")
        name, value = pair[0], pair[1].strip()
        if not _NAME.fullmatch(name):
            raise BadWish("the name of a header has letters, digits and hyphens")
        if name.lower() in _REFUSED:
            raise BadWish(f"{name} is left to the client")
        if len(value) > _MAX_VALUE or not _VALUE.fullmatch(value):
            raise BadWish(f"the value of {name} has to be printable ASCII, and short")
        headers.append((name, value))
    return tuple(headers)

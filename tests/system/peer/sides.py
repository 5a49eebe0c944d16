"""The two filters under comparison: each in front of its own copy of one small service."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import authmw

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

REQUEST_BODY = b"seven namespaces"
REQUEST_BODY_KEY = "service.read"
"""Where the service notes what it read of it: all, with a method that sends something."""

NOT_STARTED = "not started"
"""Stands for the status where the filter refused its configuration."""


class ServiceFault(Exception):
    """What the service raises where a case wants it to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service behind the filter says.

    Attributes:
        raises: it raises instead; `after_start` first calls start_response, and once more
            with what went wrong, as PEP 3333 has it.
        is_written: the body goes through start_response's write().
        is_late: start_response is called when the body is first asked for.
    """

    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/plain"),)
    body: tuple[bytes, ...] = (b"hello\n",)
    raises: bool = False
    after_start: bool = False
    is_written: bool = False
    is_late: bool = False


ANSWERS: Mapping[str, Answer] = {
    "ok": Answer(),
    "unauthorized": Answer("401 Unauthorized"),
    "unauthorized-itself": Answer(
        "401 Unauthorized", (("WWW-Authenticate", 'Basic realm="namespaces"'),)
    ),
    "forbidden": Answer("403 Forbidden"),
    "no-content": Answer("204 No Content", (), ()),
    "not-modified": Answer("304 Not Modified", (("ETag", '"1"'),), ()),
    "own-reason": Answer("299 Fine With Me"),
    "two-cookies": Answer(headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))),
    "no-headers": Answer(headers=()),
    "redirect": Answer("302 Found", (("Location", "/v1/items"),), ()),
    "pieces": Answer(body=(b"one\n", b"", b"two\n")),
    "written": Answer(is_written=True),
    "late": Answer(is_late=True),
    "raises": Answer(raises=True),
    "fails-late": Answer(raises=True, after_start=True),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one request came to.

    Attributes:
        raised: name and text of what left the filter; the server would say 500, or
            not start.
        environ: what the service saw; None where the request did not reach it.
        exc_info: whether start_response was told of a fault.
        closed: whether the service's body was closed, as PEP 3333 demands.
    """

    status: str
    headers: Headers
    body: bytes
    environ: Environ | None
    raised: str | None = None
    exc_info: bool = False
    closed: bool = False


class Body:
    """What a service returns: its pieces one at a time; it knows whether it was closed."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self.is_closed = True


class Side:
    """One filter in front of a service that remembers what it was told."""

    def __init__(self, filter_factory: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self._seen: Environ | None = None
        self._answer = ANSWERS["ok"]
        self._app: WsgiApp | None = None
        self._failed = ""
        with quiet():
            try:
                self._app = filter_factory({}, **options)(self._serve)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing starts
                self._failed = _describe(error)

    def send(self, environ: Mapping[str, Any], answer: Answer) -> Outcome:
        """Send one request; nothing a filter raises leaves."""
        if self._app is None:
            return Outcome(NOT_STARTED, [], b"", None, raised=self._failed)
        self._seen, self._answer = None, answer
        self._body = Body(())
        started: list[tuple[str, Headers, bool]] = []
        written: list[bytes] = []

        def start_response(status: str, headers: Headers, exc_info: Any = None) -> Any:
            started.append((status, headers, exc_info is not None))
            return written.append

        request = {**environ, "wsgi.input": io.BytesIO(REQUEST_BODY)}
        try:
            with quiet():
                body = self._app(request, start_response)
                try:
                    content = b"".join([*body])
                finally:
                    if hasattr(body, "close"):
                        body.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the server says 500
            raised = _describe(error)
            return Outcome("500 Internal Server Error", [], b"", self._seen, raised=raised)
        status, headers, exc_info = started[-1]
        return Outcome(
            status,
            headers,
            b"".join(written) + content,
            self._seen,
            exc_info=exc_info,
            closed=self._body.is_closed,
        )

    def close(self) -> None:
        """End what works in the background; the peer has no such method."""
        if isinstance(self._app, authmw.AuthMiddleware):
            self._app.close()

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._answer
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self._seen = {**environ, REQUEST_BODY_KEY: sent}
        if answer.raises and not answer.after_start:
            raise ServiceFault
        if answer.is_late:
            self._body = Body(_start_late(answer, start_response))
            return self._body
        write = start_response(answer.status, list(answer.headers))
        if answer.raises:
            try:
                raise ServiceFault
            except ServiceFault:
                start_response("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
                return [b"oops\n"]
        if answer.is_written:
            for piece in answer.body:
                write(piece)
            return []
        # A body after HEAD would be the service's own mistake (RFC 9110 section 9.3.2).
        self._body = Body([] if environ["REQUEST_METHOD"] == "HEAD" else answer.body)
        return self._body


def _start_late(answer: Answer, start_response: StartResponse) -> Iterator[bytes]:
    start_response(answer.status, list(answer.headers))
    yield from answer.body


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def make_environ(
    *,
    method: str = "GET",
    path: str = "/",
    script_name: str = "",
    query: str = "",
    extra: Mapping[str, Any],
) -> Environ:
    """Return the environ of one request as a WSGI server makes it (PEP 3333)."""
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "inventory.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "inventory.example",
        "HTTP_USER_AGENT": "namespace/1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "CONTENT_LENGTH": str(len(REQUEST_BODY)) if method in ("POST", "PUT", "PATCH") else "",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **extra,
    }


def quiet() -> warnings.catch_warnings[None]:
    """Silence warnings: what the libraries of either side deprecate is not compared here."""
    return warnings.catch_warnings(action="ignore")

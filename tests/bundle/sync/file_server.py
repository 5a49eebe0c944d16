"""An HTTP server of files on 127.0.0.1, as a mirror or an object store, that can be told to err."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Behaviour = Callable[["_Handler"], None]


@dataclass
class FileServer:
    """Serves a directory.

    Attributes:
        directory: may be replaced by another one while it serves.
        behaviours: what to do instead for paths that end so.
        asked: path and status of each request so far.
        port: where it listens.
    """

    directory: Path
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.files = self
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            self.scheme = "https"
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    files: FileServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        files = self.server.files
        for ending, behaviour in files.behaviours.items():
            if self.path.endswith(ending):
                files.asked.append((self.path, 0))
                behaviour(self)
                return
        try:
            body = (files.directory / self.path.lstrip("/")).read_bytes()
        except OSError:
            self.answer(404, b"nothing is here")
            return
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == etag:
            self.answer(304, b"", {"ETag": etag})
        else:
            self.answer(200, body, {"ETag": etag})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.server.files.asked.append((self.path, status))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

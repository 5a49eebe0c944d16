"""An HTTP/1.1 server on the loopback interface that can really be stopped, and made to fail.

It uses the standard library alone. It keeps connections alive, as production servers do, so
that clients meet stale ones after a restart.
"""

from __future__ import annotations

import collections
import http.server
import logging
import socket
import socketserver
import struct
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from authmw.runtime.fingerprint import fingerprint
from authmw.testing.faults import CANNED_ANSWERS, Call, Fault
from authmw.testing.http_messages import Answer, Request, json_answer

_LOG = logging.getLogger(__name__)

_BACKLOG = 256
_MAX_BODY_BYTES = 1_000_000
_POLL_SECONDS = 0.05
_STOP_SECONDS = 10
_REQUESTS_KEPT = 10_000
# l_onoff and l_linger of struct linger: closing discards what is unsent and resets.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Application(Protocol):
    """The application that a `Loopback` serves."""

    def call_of(self, request: Request) -> Call:
        """Return what a request asks for; must be quick and never fail."""

    def answer(self, request: Request) -> Answer:
        """Answer one request."""


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request the server got. `subject` is the fingerprint of X-Subject-Token."""

    call: Call
    method: str
    path: str
    query: str
    subject: str | None
    fault: Fault | None


class Loopback:
    """Serves an application on 127.0.0.1, on one port for its whole life.

    Args:
        application: answers the requests; called from many threads.
        clock: epoch seconds for the Date header.
        port: to open; 0: a free one.
    """

    def __init__(self, application: Application, clock: Callable[[], float], port: int = 0) -> None:
        self.application = application
        self.clock = clock
        self.port = port
        self._changed = threading.Condition()
        self._faults: dict[Call | None, Fault] = {}
        self._calls: collections.Counter[Call] = collections.Counter()
        self._seen: collections.deque[SeenRequest] = collections.deque(maxlen=_REQUESTS_KEPT)
        self._server: _Server | None = None

    @property
    def is_running(self) -> bool:
        """Whether the port is open."""
        return self._server is not None

    @property
    def calls(self) -> collections.Counter[Call]:
        """A copy of the number of requests of each kind so far."""
        with self._changed:
            return self._calls.copy()

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The latest requests, oldest first."""
        with self._changed:
            return tuple(self._seen)

    def start(self) -> None:
        """Open the port: a free one at first, the same one later."""
        if self._server is not None:
            raise RuntimeError("this server is running already")
        self._server = _Server(self)
        self.port = self._server.port
        self._server.start()

    def stop(self) -> None:
        """Close the port and every connection; without effect on a stopped server."""
        server, self._server = self._server, None
        if server is None:
            return
        with self._changed:
            server.is_stopping = True
            self._changed.notify_all()
        server.stop()

    def forget_requests(self) -> None:
        """Set all counts to zero."""
        with self._changed:
            self._calls.clear()
            self._seen.clear()

    def fault_of(self, call: Call | None) -> Fault | None:
        """Return the fault one kind of request meets; None asks for the one that all meet."""
        with self._changed:
            return self._faults.get(call) or self._faults.get(None)

    def set_fault(self, fault: Fault | None, call: Call | None = None) -> None:
        """Make one kind of request fail, or all; a fault of None ends it."""
        with self._changed:
            if fault is None:
                self._faults.pop(call, None)
            else:
                self._faults[call] = fault
            self._changed.notify_all()

    def note(self, request: Request, query: str) -> tuple[Call, Fault | None]:
        """Count a request; return its kind and the fault it meets."""
        call = self.application.call_of(request)
        subject = request.headers.get("x-subject-token")
        with self._changed:
            fault = self.fault_of(call)
            self._calls[call] += 1
            self._seen.append(
                SeenRequest(
                    call=call,
                    method=request.method,
                    path=request.path,
                    query=query,
                    subject=None if subject is None else fingerprint(subject),
                    fault=fault,
                )
            )
        return call, fault

    def wait_while_hanging(self, call: Call, server: _Server) -> None:
        """Return when this kind of request no longer hangs, or the server stops."""
        with self._changed:
            self._changed.wait_for(
                lambda: server.is_stopping or self.fault_of(call) is not Fault.HANG
            )


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One open port; every start makes a new one."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = _BACKLOG

    def __init__(self, loopback: Loopback) -> None:
        super().__init__(("127.0.0.1", loopback.port), _Handler)
        self.loopback = loopback
        self.port: int = self.server_address[1]
        self.is_stopping = False
        self._connections: set[socket.socket] = set()
        self._connections_changed = threading.Condition()
        self._accepting = threading.Thread(
            target=self.serve_forever,
            args=(_POLL_SECONDS,),
            name=f"loopback server on port {self.port}",
            daemon=True,
        )

    def start(self) -> None:
        self._accepting.start()

    def stop(self) -> None:
        self.shutdown()
        self._accepting.join(_STOP_SECONDS)
        self.server_close()
        with self._connections_changed:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # The client was quicker.
            if not self._connections_changed.wait_for(lambda: not self._connections, _STOP_SECONDS):
                raise RuntimeError(f"{len(self._connections)} connections did not end")

    # Requests are sockets here; the base class has datagrams in mind too.

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._connections_changed:
            self._connections.discard(request)
            self._connections_changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        # Broken connections are expected here. What goes wrong inside the
        # application has become an answer already.
        _LOG.debug("a connection ended early", exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection; answers its requests one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        address = urllib.parse.urlsplit(self.path)
        length = min(int(self.headers.get("Content-Length") or 0), _MAX_BODY_BYTES)
        request = Request(
            method=self.command,
            path=urllib.parse.unquote(address.path),
            query=dict(urllib.parse.parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        self._serve(request, *self.server.loopback.note(request, address.query))
        self.wfile.flush()

    def _serve(self, request: Request, call: Call, fault: Fault | None) -> None:
        if fault is Fault.HANG:
            self.server.loopback.wait_while_hanging(call, self.server)
            self.close_connection = True
        elif fault is Fault.RESET:
            self._reset()
        elif fault is not None and fault in CANNED_ANSWERS:
            self._send(request, CANNED_ANSWERS[fault])
        else:
            self._send(request, self._answer(request), is_cut=fault is Fault.HALF_BODY)

    def _answer(self, request: Request) -> Answer:
        try:
            return self.server.loopback.application.answer(request)
        except Exception:  # noqa: BLE001 - a server answers, whatever happens
            _LOG.exception("%s %s failed", request.method, request.path)
            title = "Internal Server Error"
            return json_answer(500, {"error": {"code": 500, "message": title, "title": title}})

    def _send(self, request: Request, answer: Answer, *, is_cut: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.body:
            self.send_header("Content-Type", answer.content_type)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Vary", "X-Auth-Token")
        if is_cut:
            self.close_connection = True
        self.end_headers()
        if request.method != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if is_cut else answer.body)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise ConnectionAbortedError("reset on purpose")

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(
            self.server.loopback.clock() if timestamp is None else timestamp
        )

    def version_string(self) -> str:
        return "authmw.testing"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Log nothing: `Loopback.requests` has what a test needs, and no token."""

"""Another service on the loopback interface; it records the headers of its requests."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message


class OtherService:
    """What it was asked, and how it answers.

    Attributes:
        url: where it is.
        asked: the headers of each request, oldest first.
        statuses: of the next answers; 200 once they are used up.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Message] = []
        self.statuses: list[int] = []


@contextmanager
def run_other_service() -> Iterator[OtherService]:
    """Run one on a free port for the time of a `with` block."""
    service = OtherService()

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            service.asked.append(self.headers)
            self.send_response(service.statuses.pop(0) if service.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

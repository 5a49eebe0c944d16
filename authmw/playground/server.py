"""Serves the playground on the loopback interface, on a free port."""

from __future__ import annotations

import socketserver
import threading
import wsgiref.simple_server
from pathlib import Path
from types import TracebackType
from typing import Self

from authmw.playground.guard import Guard
from authmw.playground.modes import Worlds
from authmw.playground.pages import Pages
from authmw.playground.watching import Recorder
from authmw.testing.demo.inventory import Inventory

_IDLE_SECONDS = 30
_POLL_SECONDS = 0.1


class Playground:
    """The playground, for the time of a `with` block.

    Args:
        directory: for the files of its modes; there has to be nothing in it.

    Attributes:
        url: of the page.
    """

    def __init__(self, directory: Path) -> None:
        self._worlds = Worlds(Recorder(Inventory()), directory)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        guard = Guard(self._server.server_port)
        self._server.set_app(Pages(self._worlds, guard))
        self.url = f"http://{guard.host}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="playground", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._worlds.close()


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    # A browser may hold a connection for later.
    block_on_close = False

    def server_bind(self) -> None:
        # Without the look-up of a host name, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = _IDLE_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Log nothing: the page shows it."""

"""What a middleware does that can't decide: it could not be built, or it is closed.

Starlette and FastAPI build their middleware when the server calls the app for the first time. An
exception raised there looks to a server like an app without a lifespan, which it serves.
"""

from __future__ import annotations

import functools
import logging
import sys
from types import FrameType
from typing import Final

from authmw.asgi.answers import record, send_answer
from authmw.asgi.interface import Receive, Scope, Send
from authmw.errors import AuthmwError
from authmw.rejection import MISCONFIGURED, Rejection, respond

_log = logging.getLogger(__name__)

# Of a request that was waiting when the filter was closed.
CLOSED: Final = Rejection(503, retry_after=5)


class OutOfService:
    """Stops the server's start, else answers all requests with 503; calls no app.

    Args:
        error: why the middleware can't decide.

    Attributes:
        message: what to correct.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._is_logged = False
        is_ours = isinstance(error, AuthmwError | TypeError)
        self.message = str(error) if is_ours else "authmw could not be built; the log has why"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, websocket or lifespan (ASGI 3).

        Raises:
            Exception: (lifespan) that of the start, for callers that don't read messages.
        """
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.failed", "message": self.message})
            raise self._error
        if not self._is_logged:
            self._is_logged = True
            trace = None if self.message == str(self._error) else self._error
            _log.critical("%s", self.message, exc_info=trace)
        environ = {"REQUEST_METHOD": scope.get("method", "GET")}
        if scope["type"] == "websocket":
            await receive()  # websocket.connect, which comes before any answer
        answer = record(functools.partial(respond, MISCONFIGURED, (), ()), environ)
        await send_answer(scope, send, answer)


class ClosedError(AuthmwError):
    """A filter is asked after its end."""

    def __init__(self) -> None:
        super().__init__(
            "this filter of authmw is closed, as the lifespan of its app has ended or close() was"
            " called: all requests get 503 until the app is started again"
        )


_APPLICATIONS: Final = ("starlette.applications", "fastapi.applications")


def is_served() -> bool:
    """Tell whether a server has called Starlette, or FastAPI, which builds its middleware now."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        # Some versions of FastAPI build it themselves.
        is_app = frame.f_globals.get("__name__") in _APPLICATIONS
        if is_app and frame.f_code.co_name == "__call__":
            return True
        frame = frame.f_back
    return False

"""One process with a real filter in it, which does as a pipe says.

Run as `python -m tests.system.model.worker`.

Each line of standard input is a JSON object with `do`: "build" makes the filter anew, "request"
sends a request through it, "close" ends it. `now` is the time of its clock from then on, `steady`
that of its monotonic one. Each is answered with one line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from authmw.build import build_filter_parts
from authmw.middleware import AuthMiddleware

# What the service behind the filter is told.
_HEADERS = (
    "X-Identity-Status",
    "X-User-Id",
    "X-Project-Id",
    "X-Domain-Id",
    "OpenStack-System-Scope",
    "X-Roles",
    "X-Service-Identity-Status",
    "X-Service-User-Id",
    "X-Service-Project-Id",
    "X-Service-Domain-Id",
    "X-Service-Roles",
)
# How long a thread in the background may take for what a request left to it.
_PATIENCE_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.002
_true_monotonic = time.monotonic


class _Worker:
    def __init__(self) -> None:
        self._now = time.time()
        self._filter: AuthMiddleware | None = None
        self._seen: dict[str, Any] = {}
        self._steady: float | None = None
        self._ahead = 0.0

    def do(self, command: dict[str, Any]) -> object:
        self._now = command["now"]
        if command["do"] == "build":
            self._steady = None  # another example, which begins with the true time again
        self._drive_steady_clock(command["steady"])
        match command["do"]:
            case "build":
                self._close()
                # Where the processes of a host share what they know, without memcached.
                tempfile.tempdir = command["temporary"]
                parts = build_filter_parts(command["options"], clock=lambda: self._now)
                self._filter = AuthMiddleware.from_parts(self._serve, parts)
                return None
            case "request":
                answer = self._send(command["headers"])
                _wait_for_background()
                return answer
            case "close":
                self._close()
                return None
        raise ValueError(command["do"])

    def _drive_steady_clock(self, steady: float) -> None:
        """Have as much monotonic time pass as the test says; it never goes back."""
        if self._steady is not None:
            self._ahead += max(0.0, steady - self._steady)
        self._steady = steady

    def tell_steady(self) -> float:
        """Return monotonic seconds."""
        return _true_monotonic() + self._ahead

    def _close(self) -> None:
        if self._filter is not None:
            self._filter.close()
            self._filter = None
            _wait_for_background()

    def _serve(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        self._seen = environ
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    def _send(self, headers: dict[str, str]) -> object:
        assert self._filter is not None
        self._seen = {}
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "SERVER_NAME": "service",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            **{_key(name): value for name, value in headers.items()},
        }
        begun: list[str] = []

        def start_response(status: str, _headers: object, _info: object = None) -> object:
            begun.append(status)
            return lambda _: None

        b"".join(self._filter(environ, start_response))
        told = {name: self._seen[_key(name)] for name in _HEADERS if _key(name) in self._seen}
        return {"status": int(begun[-1][:3]), "told": told}


def _key(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


def _wait_for_background() -> None:
    """Return when every background thread of the filter has done what there was to do."""
    give_up_at = _true_monotonic() + _PATIENCE_SECONDS
    while True:
        time.sleep(_LOOK_AGAIN_SECONDS)  # Also lets a thread run that was just woken.
        frames = sys._current_frames()
        if all(
            _is_asleep(frames.get(thread.ident or 0))
            for thread in threading.enumerate()
            if thread.name.startswith("authmw-")
        ):
            return
        if _true_monotonic() > give_up_at:
            raise TimeoutError("a background thread of the filter does not come to an end")


def _is_asleep(frame: Any) -> bool:
    """Whether a thread waits for its next turn: its loop called `Event.wait`, nothing else."""
    depth = 0
    while frame is not None and frame.f_code.co_filename == threading.__file__:
        depth += frame.f_code.co_name == "wait"
        frame = frame.f_back
    return frame is None or (depth > 0 and frame.f_code.co_filename.endswith("refresh.py"))


def main() -> None:
    """Serve until standard input ends."""
    logging.basicConfig(level=logging.INFO if os.environ.get("MODEL_LOG") else logging.CRITICAL)
    worker = _Worker()
    time.monotonic = worker.tell_steady
    for line in sys.stdin:
        try:
            answer = {"answer": worker.do(json.loads(line))}
        except Exception as error:
            logging.critical("a command failed", exc_info=error)
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

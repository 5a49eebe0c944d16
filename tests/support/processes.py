"""Start, watch, suspend and stop one server process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOG_TAIL_LINES = 40


class ServerDidNotStart(Exception):
    """The server died, or answered nobody before the deadline; the message has its log's tail."""


def find_free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_listening(port: int) -> bool:
    """Tell whether somebody accepts connections on this port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def is_answering(url: str) -> bool:
    """Tell whether an HTTP request gets any answer: a 401 is one, silence is not."""
    # A proxy of the environment must not stand between us and 127.0.0.1.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=5).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except OSError:
        return False
    return True


class ServerProcess:
    """One server with its own process group, so that its workers share its fate.

    Args:
        command: program and arguments.
        is_ready: asked again and again after the start, until it says yes.
        log: the file that collects the server's output over all its starts.
        environ: set on top of our own environment.
        working_directory: where the server runs.
        stop_signal: SIGKILL for what has nothing to put in order, and would take its time.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        is_ready: Callable[[], bool],
        log: Path,
        environ: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._stop_signal = stop_signal
        self._command = list(command)
        self._is_ready = is_ready
        self.log = log
        self._environ = dict(environ or {})
        self._working_directory = working_directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server; a pre-fork server's workers are its children."""
        assert self._process is not None, f"{self._command[0]} is not running"
        return self._process.pid

    def is_running(self) -> bool:
        """Tell whether the process is there; a suspended one is."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, deadline_seconds: float = 30) -> None:
        """Start the server unless it runs, and return once it is ready.

        Raises ServerDidNotStart when it dies first or the deadline passes.
        """
        if self.is_running():
            return
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._working_directory,
                env={**os.environ, **self._environ},
                start_new_session=True,
            )
        give_up_at = time.monotonic() + deadline_seconds
        while not self._is_ready():
            if self._process.poll() is not None:
                raise ServerDidNotStart(self._describe(f"ended with {self._process.returncode}"))
            if time.monotonic() > give_up_at:
                self.stop()
                raise ServerDidNotStart(self._describe(f"not ready in {deadline_seconds} s"))
            time.sleep(0.05)

    def stop(self, *, grace_seconds: float = 5) -> None:
        """Ask the server to end, and after the grace time make it and its workers end."""
        if self._process is None:
            return
        if self.is_running():
            self.resume()
            self._process.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_seconds)
        # The group outlives its leader while a worker is left.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(grace_seconds)
        self._process = None

    def suspend(self) -> None:
        """Freeze it: connections are still accepted by the kernel, and nobody answers."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended server go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def read_log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """Return the last lines of the server's output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _describe(self, fate: str) -> str:
        return f"{' '.join(self._command)}: {fate}; the end of its log:\n{self.read_log_tail()}"

"""A WSGI application served by a real server."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes import ServerProcess, find_free_port, is_answering
from tests.support.programs import ROOT


class WsgiServer(ServerProcess):
    """Any server that speaks HTTP on a port of 127.0.0.1; ready once it answers.

    Args:
        command: program and arguments.
        port: the free one that they name.
        log: the file for the server's output.
        ready_path: asked until something answers, whatever the status.
        environ: set on top of our own environment.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        log: Path,
        ready_path: str = "/",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(
            command,
            is_ready=lambda: is_answering(self.url + ready_path),
            log=log,
            environ=environ,
            working_directory=ROOT,
        )


class Gunicorn(WsgiServer):
    """gunicorn on a free port; ready once a worker answers.

    Args:
        application: gunicorn's own arguments that name what to serve.
        log: the file for the server's output.
        workers: processes.
        threads: threads in each; more than one makes gunicorn choose its thread worker.
        preload: load the application before the fork.
        ready_path: asked until something answers, whatever the status.
        environ: set on top of our own environment.
    """

    def __init__(
        self,
        application: Sequence[str],
        *,
        log: Path,
        workers: int = 1,
        threads: int = 1,
        preload: bool = False,
        ready_path: str = "/",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        port = find_free_port()
        command = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}"]
        command += [f"--workers={workers}", f"--threads={threads}"]
        # A test that suspends the server for a while must not have its workers replaced.
        command += ["--timeout=300", "--graceful-timeout=1", "--no-control-socket"]
        if preload:
            command.append("--preload")
        super().__init__(
            [*command, *application],
            port=port,
            log=log,
            ready_path=ready_path,
            environ=environ,
        )


def serve_paste_file(
    paste_file: Path,
    *,
    workers: int = 1,
    threads: int = 1,
    preload: bool = False,
    ready_path: str = "/",
    environ: Mapping[str, str] | None = None,
) -> Gunicorn:
    """Return a server, not yet started, for the `main` application of a paste file.

    Its log is beside the paste file; modules of this repository can be named in the file.
    """
    return Gunicorn(
        [f"--paste={paste_file}"],
        log=paste_file.with_suffix(".log"),
        workers=workers,
        threads=threads,
        preload=preload,
        ready_path=ready_path,
        environ={"PYTHONPATH": str(ROOT), **(environ or {})},
    )

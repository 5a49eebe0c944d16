"""A WSGI application served by uWSGI, from the wheels of pyuwsgi."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes import find_free_port
from tests.support.programs import ROOT
from tests.support.wsgi_server import WsgiServer

_PROGRAM = "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"


class Uwsgi(WsgiServer):
    """uWSGI with a master process on a free port; ready once a worker answers.

    Up to 2.0.26 it stops all threads but a request's own between two requests, unless it is
    told --enable-threads; from 2.0.27 on it never does.

    Args:
        application: uWSGI's own arguments that name what to serve.
        log: the file for the server's output.
        processes: that serve.
        environ: set on top of our own environment.
    """

    def __init__(
        self,
        application: Sequence[str],
        *,
        log: Path,
        processes: int = 1,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        port = find_free_port()
        command = [sys.executable, "-c", _PROGRAM, f"--http-socket=127.0.0.1:{port}"]
        command += ["--master", "--need-app", "--die-on-term", f"--processes={processes}"]
        command += [f"--pythonpath={ROOT}", *application]
        super().__init__(command, port=port, log=log, environ=environ)

"""A service that reads its configuration file again on SIGHUP, as a program of its own.

Run with the kind (one of KINDS), the configuration file and a port of 127.0.0.1. The filter
takes its options from the service's own `cfg.CONF`, as it does in every OpenStack service.
"""

from __future__ import annotations

import logging
import signal
import socketserver
import sys
from collections.abc import Callable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

_log = logging.getLogger("reloading")


def _serve_by_threads(conf: Any, make_application: Callable[[], Any], port: int) -> None:
    """Serve by a thread for each request; the signal's handler does all the work."""
    from oslo_config import cfg

    class Server(socketserver.ThreadingMixIn, WSGIServer):
        daemon_threads = True
        request_queue_size = 128

    class Silent(WSGIRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    def reload(_number: int, _frame: object) -> None:
        try:
            conf.mutate_config_files()
        except cfg.Error as error:
            _log.error("the configuration was not read again: %s", error)
        else:
            _log.info("the configuration was read again")

    signal.signal(signal.SIGHUP, reload)
    with make_server("127.0.0.1", port, make_application(), Server, Silent) as server:
        server.serve_forever()


def _serve_by_oslo_service(conf: Any, make_application: Callable[[], Any], port: int) -> None:
    """Serve as OpenStack services do that run on their own."""
    from oslo_service import service, wsgi  # type: ignore[import-untyped]

    server = wsgi.Server(conf, "hosted", make_application(), host="127.0.0.1", port=port)
    service.launch(conf, server, restart_method="mutate").wait()


KINDS = {"threads": _serve_by_threads, "oslo.service": _serve_by_oslo_service}


def main(kind: str, conf_file: str, port: int) -> None:
    """Serve until the end."""
    if kind == "oslo.service":
        import eventlet  # type: ignore[import-untyped]

        eventlet.monkey_patch()
    from oslo_config import cfg

    import authmw
    from tests.system.servers.hosted_service import tell_who_called

    logging.basicConfig(format="%(levelname)s %(name)s %(message)s", level=logging.INFO)
    cfg.CONF([], project="hosted", default_config_files=[conf_file])
    KINDS[kind](cfg.CONF, lambda: authmw.AuthMiddleware(tell_who_called, {}), port)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

"""Serves a paste file by a server other than gunicorn, as a program of its own.

Run with the kind (one of KINDS), the paste file and a port of 127.0.0.1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def _waitress(application: Any, port: int) -> None:
    import waitress  # type: ignore[import-untyped]

    waitress.serve(application, host="127.0.0.1", port=port)


def _cheroot(application: Any, port: int) -> None:
    from cheroot.wsgi import Server

    Server(("127.0.0.1", port), application).start()


def _werkzeug(application: Any, port: int) -> None:
    from werkzeug.serving import make_server

    make_server("127.0.0.1", port, application, threaded=True).serve_forever()


def _wsgiref(application: Any, port: int) -> None:
    from wsgiref.simple_server import make_server

    make_server("127.0.0.1", port, application).serve_forever()


def _gevent(application: Any, port: int) -> None:
    from gevent.pywsgi import WSGIServer  # type: ignore[import-untyped]

    WSGIServer(("127.0.0.1", port), application).serve_forever()


def _eventlet(application: Any, port: int) -> None:
    import eventlet.wsgi  # type: ignore[import-untyped]

    eventlet.wsgi.server(eventlet.listen(("127.0.0.1", port)), application)


KINDS: dict[str, Callable[[Any, int], None]] = {
    "waitress": _waitress,
    "cheroot": _cheroot,
    "werkzeug": _werkzeug,
    "wsgiref": _wsgiref,
    "gevent": _gevent,
    "eventlet": _eventlet,
}


def main(kind: str, paste_file: str, port: int) -> None:
    """Serve until the end; what has to be monkey-patched is so before anything else."""
    if kind == "gevent":
        import gevent.monkey  # type: ignore[import-untyped]

        gevent.monkey.patch_all()
    elif kind == "eventlet":
        import eventlet

        eventlet.monkey_patch()
    from paste.deploy import loadapp

    KINDS[kind](loadapp(f"config:{paste_file}"), port)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

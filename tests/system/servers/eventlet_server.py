"""Serves a paste file by eventlet, monkey-patched as services do it: first of all.

Run as a program with the paste file and a port of 127.0.0.1.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    import eventlet  # type: ignore[import-untyped]

    eventlet.monkey_patch()

    import eventlet.wsgi  # type: ignore[import-untyped]
    from paste.deploy import loadapp

    application = loadapp(f"config:{sys.argv[1]}")
    listener = eventlet.listen(("127.0.0.1", int(sys.argv[2])))
    eventlet.wsgi.server(listener, application, log_output=False)

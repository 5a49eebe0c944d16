"""The WSGI application that gunicorn serves as Keystone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def make_application() -> WSGIApplication:
    """Return Keystone's application; OS_KEYSTONE_CONFIG_FILES names its configuration."""
    # Keystone parses the command line when it is loaded, and would die of gunicorn's options.
    sys.argv = ["keystone"]
    from keystone.server import wsgi

    application: WSGIApplication = wsgi.initialize_public_application()
    return application

"""The ASGI middleware, for FastAPI, Starlette and any ASGI app; see doc/asgi.rst.

    app = FastAPI()
    app.add_middleware(authmw.asgi.AuthMiddleware, config_file="inventory.conf")

Nothing of a framework is imported.
"""

from __future__ import annotations

from authmw.asgi.dependency import require_token
from authmw.asgi.middleware import AuthMiddleware

__all__ = ["AuthMiddleware", "require_token"]

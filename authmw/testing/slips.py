"""Names that a test has misspelt: an error that says what was meant."""

from __future__ import annotations

import types
from typing import Any

from authmw.config.option_names import suggest, verify_option_names
from authmw.wsgi.asgi import is_asgi

__all__ = ["UnknownName", "suggest", "verify_app", "verify_option_names"]


class UnknownName(KeyError):
    """There is nothing of that name; the message says what was meant."""

    __str__ = Exception.__str__


def verify_app(app: Any) -> None:
    """Check that something can be protected.

    Raises:
        TypeError: it can't; the message says what to pass.
    """
    if isinstance(app, str | types.ModuleType):
        raise TypeError(
            f"the middleware takes the app itself, and {app!r} is the name or module of one: "
            "import the app and pass it"
        )
    if not callable(app):
        raise TypeError(f"the middleware takes a WSGI or ASGI app, and {app!r} can't be called")
    if not is_asgi(app):
        # Imported here: it loads the decorators.
        from authmw.decorators.protect import verify_arguments

        verify_arguments(app)

"""Refuses ASGI apps, which WSGI middleware cannot serve.

An ASGI app behind WSGI middleware fails at its first request, with an error that names neither.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

# The names that the ASGI specification gives the last two arguments of an app.
_ASGI_NAMES = ["receive", "send"]


def refuse_asgi(app: Any, *, is_view: bool = False) -> None:
    """Refuse an ASGI app: a coroutine function, or an instance whose `__call__` is one.

    Args:
        app: the callable to protect.
        is_view: whether it may be a view of a WSGI framework; such a view may be a coroutine
            function.

    Raises:
        TypeError: it is an ASGI app; the message says what to do.
    """
    function = app
    if isinstance(app, functools.partial):
        function = app.func
    elif not inspect.isroutine(app):
        # Not getattr(): every class has the __call__ of its metaclass.
        bases = (app if isinstance(app, type) else type(app)).__mro__
        function = next((vars(base)["__call__"] for base in bases if "__call__" in vars(base)), app)
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    if _last_two_names(function) == _ASGI_NAMES or (is_async and not is_view):
        name = getattr(app, "__qualname__", type(app).__qualname__)
        raise TypeError(
            f"{name} is an ASGI app, and authmw speaks WSGI: protect a WSGI app (of Django's:"
            " get_wsgi_application()), or make one of it first, as a2wsgi.ASGIMiddleware does"
        )


def _last_two_names(function: Any) -> list[str]:
    try:
        return [name.lstrip("_") for name in inspect.signature(function).parameters][-2:]
    except (TypeError, ValueError):
        return []

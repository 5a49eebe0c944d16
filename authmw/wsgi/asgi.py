"""Tells ASGI apps from WSGI apps, and refuses them where WSGI middleware can't serve them.

An ASGI app behind WSGI middleware fails at its first request, with an error that names neither.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

# The names that the ASGI specification gives the last two arguments of an app.
_ASGI_NAMES = ["receive", "send"]


def is_asgi(app: Any, *, is_view: bool = False) -> bool:
    """Tell whether something is an ASGI app: a coroutine function, or what is called like one.

    Args:
        app: any callable.
        is_view: whether it may be a view of a web framework; such a view may be a coroutine
            function.
    """
    function = app
    if isinstance(app, functools.partial):
        function = app.func
    elif not inspect.isroutine(app):
        # Not getattr(): every class has the __call__ of its metaclass.
        bases = (app if isinstance(app, type) else type(app)).__mro__
        function = next((vars(base)["__call__"] for base in bases if "__call__" in vars(base)), app)
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    return _last_two_names(function) == _ASGI_NAMES or (is_async and not is_view)


def refuse_asgi(app: Any, *, is_view: bool = False) -> None:
    """Refuse an ASGI app where a WSGI app, or a view, is protected.

    Raises:
        TypeError: it is an ASGI app; the message says what to do.
    """
    if is_asgi(app, is_view=is_view):
        name = getattr(app, "__qualname__", type(app).__qualname__)
        raise TypeError(
            f"{name} is an ASGI app, and this speaks WSGI: wrap it in authmw.asgi.AuthMiddleware;"
            " behind that, authmw.check() asks for roles and scope"
        )


def _last_two_names(function: Any) -> list[str]:
    try:
        return [name.lstrip("_") for name in inspect.signature(function).parameters][-2:]
    except (TypeError, ValueError):
        return []

"""Finds views of Flask that were decorated in vain: after they were registered.

`@require` above `@app.route` decorates the view after Flask has stored the undecorated one, so
the check would never run. Pyramid's decorators look a view up by name later, and those of Django
REST framework return another function.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any, Final

_CONTAINERS = (dict, list, tuple, set, frozenset)


# Attribute of a view that needs no token (`authmw.flask.optional`); decorators above the view copy
# it.
OPTIONAL: Final = "__authmw_optional__"


def find_optional_view(app: Any) -> str | None:
    """Return the name of a view in a Flask app that needs no token; None: there is none.

    Args:
        app: a WSGI callable; if it is an app's `wsgi_app`, its views are looked at.
    """
    owner = app.__self__ if inspect.ismethod(app) else app
    # Not getattr(): an app may be a proxy.
    views = inspect.getattr_static(owner, "view_functions", None)
    if not isinstance(views, dict):
        return None
    return next((str(name) for name, view in views.items() if hasattr(view, OPTIONAL)), None)


def refuse_registered(view: Any, decorator: str = "authmw.require") -> None:
    """Refuse a function that a Flask app or blueprint holds, itself or under other decorators.

    Args:
        view: the decorated function.
        decorator: what decorates it, for the message.

    Raises:
        TypeError: Flask holds it; the message says what to do.
    """
    flask: Any = sys.modules.get("flask")
    kinds = tuple(
        kind for name in ("Flask", "Blueprint") if (kind := getattr(flask, name, None)) is not None
    )
    if not kinds or not isinstance(view, FunctionType):
        return
    # A function without other references is in no app. The scan below takes milliseconds.
    if not hasattr(view, "__wrapped__") and _count(view) <= _FRESH:
        return
    sought = {id(view)}
    while (view := getattr(view, "__wrapped__", None)) is not None:
        sought.add(id(view))
    for holder in gc.get_objects():
        # Not isinstance(): it would call the proxies of a request.
        if issubclass(type(holder), kinds) and any(id(one) in sought for one in _walk(holder)):
            raise TypeError(
                f"this view is registered with Flask already, without @{decorator}: write it below"
                " @app.route, next to the function; or hand add_url_rule() what"
                f" {decorator.rpartition('.')[2]} returns, and nothing else"
            )


def _walk(holder: Any) -> Iterator[object]:
    """Yield the functions that an app or blueprint holds.

    A blueprint keeps its views in closures, which run when the blueprint is registered.
    """
    found = [vars(holder)]
    seen: set[int] = set()
    while found:
        one: Any = found.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            found.extend(one.values())
        elif isinstance(one, _CONTAINERS):
            found.extend(one)
        elif isinstance(one, FunctionType):
            yield one
            if one.__globals__.get("__name__", "").startswith("flask."):
                found.extend(inspect.getclosurevars(one).nonlocals.values())


def _count(view: Any) -> int:
    return sys.getrefcount(view)


def _count_as_above(view: Any) -> int:
    return (lambda view: _count(view))(view)


# The reference count of a function that only `require`'s decorator and `refuse_registered` hold;
# it depends on the interpreter.
_FRESH = _count_as_above(lambda: None)

"""Finds views that were registered with Flask before they were decorated.

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
from typing import Any

_CONTAINERS = (dict, list, tuple, set, frozenset)


def refuse_registered(view: Any) -> None:
    """Refuse a function that a Flask app or blueprint holds, itself or under other decorators.

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
                "this view is registered with Flask already, without this check: write"
                " @authmw.require below @app.route, next to the function; or hand add_url_rule()"
                " what require returns, and nothing else"
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

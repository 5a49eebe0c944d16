"""Decorates classes of WSGI apps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

C = TypeVar("C", bound=type[Any])


def decorate_class(app_class: C, decorate: Callable[[Any], Any]) -> C | None:
    """Decorate `__call__` of a class whose instances are apps, in place, and return the class.

    Returns None if the class itself is the app: it has `__iter__` and its instances cannot be
    called (PEP 3333, "The Application/Framework Side", AppClass).

    Raises:
        TypeError: the class is no app either way.
    """
    # Not getattr(): every class has the __call__ of its metaclass.
    call = next(
        (vars(base)["__call__"] for base in app_class.__mro__ if "__call__" in vars(base)), None
    )
    if call is not None:
        app_class.__call__ = decorate(call)
        return app_class
    if hasattr(app_class, "__iter__"):
        return None
    raise TypeError(
        f"{app_class.__qualname__} has no __call__: decorate its methods, or what makes a WSGI app"
    )

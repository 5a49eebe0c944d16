"""Tells whether a view is what `authmw.require` returned, for the audit of an app's routes.

By identity: an attribute of the view would say nothing, as decorators above it copy attributes,
and may answer without calling what they decorate.
"""

from __future__ import annotations

import functools
import types
import weakref
from typing import Any

_checks: weakref.WeakSet[Any] = weakref.WeakSet()
_decorators: weakref.WeakSet[Any] = weakref.WeakSet()


def note_check(view: Any) -> None:
    """Remember that calling `view` runs a check first."""
    _checks.add(view)


def note_decorator(decorator: Any) -> None:
    """Remember that `decorator` makes checks."""
    _decorators.add(decorator)


def is_check(view: object) -> bool:
    """Tell whether calling `view` runs a check before anything else."""
    while isinstance(view, functools.partial):
        view = view.func
    if isinstance(view, types.MethodType):
        view = view.__func__
    elif not isinstance(view, types.FunctionType | type):
        # An instance runs `__call__` of its class.
        view = type(view).__call__ if callable(view) else None
    return isinstance(view, types.FunctionType) and view in _checks


def is_checking_decorator(decorator: object) -> bool:
    """Tell whether `decorator` was returned by `authmw.require`."""
    return isinstance(decorator, types.FunctionType) and decorator in _decorators

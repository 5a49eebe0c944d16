"""What the audit of every framework says of one route, and what it knows of decorators."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

from authmw.decorators.checked import is_check

NO_CHECK: Final = "no check stands before it"

# Wrappers that always call what they wrap: module and name of their code, and the variable that
# holds it. Others may answer by themselves, as a cache does.
_TRANSPARENT: Final[Mapping[tuple[str, str], str]] = {
    ("authmw.flask", "optional.<locals>.run"): "view",
    ("django.views.decorators.csrf", "csrf_exempt.<locals>._view_wrapper"): "view_func",
    ("django.views.decorators.csrf", "csrf_exempt.<locals>.wrapper_view"): "view_func",  # 4.2
    ("django.views.decorators.cache", "never_cache.<locals>._view_wrapper"): "view_func",
    (
        "django.views.decorators.cache",
        "never_cache.<locals>._wrapper_view_func",
    ): "view_func",  # 4.2
    ("contextlib", "ContextDecorator.__call__.<locals>.inner"): "func",
    ("rest_framework.decorators", "api_view.<locals>.decorator.<locals>.handler"): "func",
}


@dataclass(frozen=True, slots=True, order=True)
class UncheckedRoute:
    """A route that no check is known to stand before.

    Attributes:
        path: as the framework's own notation has it.
        methods: of HTTP, sorted; empty: all that the view takes.
        view: what answers, by module and name.
        reason: why the audit does not count it as checked.
    """

    path: str
    methods: tuple[str, ...]
    view: str
    reason: str

    def __str__(self) -> str:
        methods = ",".join(self.methods) or "*"
        return f"{methods} {self.path} ({self.view}): {self.reason}"


def find_reason(view: object) -> str | None:
    """Return why a view is not checked; None: calling it runs a check before anything else."""
    view = peel(view)
    if is_check(view):
        return None
    inner = view
    while (inner := getattr(inner, "__wrapped__", None)) is not None:
        if is_check(inner):
            return f"its check is below {name_code(view)}, which may answer without it"
    return NO_CHECK


def peel(view: Any) -> Any:
    """Return a view without the wrappers that always call it."""
    while (variable := _TRANSPARENT.get(code_of(view))) is not None:
        view = closure_of(view)[variable]
    return view


def code_of(function: object) -> tuple[str, str]:
    """Return module and name of a function's code, which no decorator can copy; else ("", "")."""
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        return "", ""
    return str(function.__globals__.get("__name__", "")), function.__code__.co_qualname


def closure_of(function: Any) -> Mapping[str, Any]:
    """Return the variables of the functions around one."""
    return inspect.getclosurevars(getattr(function, "__func__", function)).nonlocals


def name_code(view: object) -> str:
    """Return the name of the code that a view runs."""
    module, name = code_of(view)
    return f"{module}.{name}" if name else f"a {type(view).__module__}.{type(view).__qualname__}"


def name_view(view: object) -> str:
    """Return the name that a view goes by."""
    name = getattr(view, "__qualname__", None)
    if name is None:
        view = type(view)
        name = view.__qualname__
    return f"{view.__module__}.{name}"


def group(path: str, view: object, reasons: Mapping[str, str | None]) -> Iterable[UncheckedRoute]:
    """Return one route for each reason.

    Args:
        path, view: of the route.
        reasons: by method of HTTP; None: checked.
    """
    by_reason: dict[str, list[str]] = {}
    for method, reason in reasons.items():
        if reason is not None:
            by_reason.setdefault(reason, []).append(method)
    for reason, methods in by_reason.items():
        yield UncheckedRoute(path, tuple(sorted(methods)), name_view(view), reason)

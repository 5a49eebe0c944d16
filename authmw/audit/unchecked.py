"""What the audit of every framework says of one route, and what it knows of decorators."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

from authmw.decorators.checked import is_check
from authmw.middleware import AuthMiddleware

NO_CHECK: Final = "no check stands before it"

_KNOWN: Final = frozenset(
    ("authmw", "django", "falcon", "fastapi", "flask", "pyramid", "rest_framework", "starlette")
)
_MAKING: Final = ("__new__", "__init__", "__getattribute__", "__getattr__")

# Wrappers that always call what they wrap: module and name of their code, and the variable that
# holds it. Others may answer by themselves, as a cache does.
_TRANSPARENT: Final[Mapping[tuple[str, str], str]] = {
    ("authmw.flask", "optional.<locals>.run"): "view",
    ("django.views.decorators.csrf", "csrf_exempt.<locals>._view_wrapper"): "view_func",
    ("django.views.decorators.cache", "never_cache.<locals>._view_wrapper"): "view_func",
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


def unwrap(app: Any) -> Any:
    """Return an app without our middleware in front of it."""
    asgi: Any = sys.modules.get("authmw.asgi.middleware")
    kinds = (AuthMiddleware,) if asgi is None else (AuthMiddleware, asgi.AuthMiddleware)
    while True:
        if isinstance(app, kinds):
            app = app._app
        elif hasattr(type(app), "build_filter_parts"):  # of authmw.protect
            app = app.__wrapped__
        else:
            return app


def find_reason(view: object) -> str | None:
    """Return why a view is not checked; None: calling it runs a check before anything else."""
    view = peel(view)
    if is_check(view):
        return None
    inner = view
    while (inner := getattr(inner, "__wrapped__", None)) is not None:
        if is_check(inner):
            return hide_below(name_code(view))
    return NO_CHECK


def peel(view: Any) -> Any:
    """Return a view without the wrappers that always call it."""
    while (variable := _TRANSPARENT.get(code_of(view))) is not None:
        view = closure_of(view)[variable]
    return view


def find_override(thing: Any, *names: str) -> str | None:
    """Return the name of what an app has in place of its framework's methods; None: nothing.

    Args:
        thing: a class of the app's, or an instance.
        names: of the methods. The framework's are known by their code; checks are no matter.
    """
    for name in names:
        own = getattr(thing, name, None)
        if own is None or own is getattr(object, name, None) or is_check(own):
            continue
        module, code = code_of(own)
        if module.partition(".")[0] not in _KNOWN or code.rpartition(".")[2] != name:
            return name_code(own)
    return None


def find_maker(view_class: Any, *more: str, skip: str | None = None) -> str | None:
    """Return the name of what may give an instance other methods than its class has; None: nothing.

    Args:
        view_class: the class.
        more: methods that run before its own, beside those that make an instance.
        skip: one of the latter that is known to be harmless.
    """
    if type(view_class).__call__ is not type.__call__:
        return name_code(type(view_class).__call__)
    return find_override(view_class, *(name for name in (*_MAKING, *more) if name != skip))


def hide_below(hider: str) -> str:
    """Return the reason of a view whose check `hider` may skip."""
    return f"its check is below {hider}, which may answer without it"


def hide_behind(maker: str) -> dict[str, str | None]:
    """Return the reasons of a view whose methods `maker` may replace, by method."""
    return {"*": f"{maker} may replace its methods"}


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
        reasons: by method of HTTP, "*" for all that the view takes; None: checked.
    """
    by_reason: dict[str, list[str]] = {}
    for method, reason in reasons.items():
        if reason is not None:
            by_reason.setdefault(reason, []).append(method)
    for reason, methods in by_reason.items():
        named = () if "*" in methods else tuple(sorted(methods))
        yield UncheckedRoute(path, named, name_view(view), reason)

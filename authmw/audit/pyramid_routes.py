"""The views of a Pyramid app that no check stands before."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from typing import Any

from pyramid.config.views import isexception
from pyramid.interfaces import IViewMapperFactory

from authmw.audit.unchecked import (
    UncheckedRoute,
    closure_of,
    code_of,
    find_maker,
    find_override,
    find_reason,
    hide_below,
    name_code,
    name_view,
)
from authmw.decorators.checked import is_checking_decorator
from authmw.pyramid import SecurityPolicy

_SECURED = ("pyramid.viewderivers", "_secured_view.<locals>.secured_view")
# Operations that call nothing, but for the setters of properties.
_PLAIN = ("LOAD_", "STORE_FAST", "RETURN_", "POP_TOP", "COPY", "SWAP", "RESUME", "NOP", "CACHE")


def find_unchecked(app: Any) -> Iterator[UncheckedRoute]:
    """Yield them; see `authmw.audit.routes.audit_routes`."""
    registry = app.registry
    introspector = registry.introspector
    hider = _find_hider(registry)
    for entry in introspector.get_category("views") or ():
        view = entry["introspectable"]
        if _answers_exceptions(view):
            continue
        reason = _find_reason(view, hider)
        if reason is not None:
            methods = view["request_methods"] or ()
            methods = (methods,) if isinstance(methods, str) else tuple(sorted(methods))
            yield UncheckedRoute(
                _name_path(view, introspector), methods, name_view(view["callable"]), reason
            )


def _answers_exceptions(view: Any) -> bool:
    return bool(view["exception_only"] or isexception(view["context"]))


def _name_path(view: Any, introspector: Any) -> str:
    route = introspector.get("routes", view["route_name"]) if view["route_name"] else None
    if route is not None:
        return str(route["pattern"])
    # Found by traversal.
    context = view["context"]
    owner = "" if context is None else f"{getattr(context, '__name__', context)}"
    return f"{owner}/{view['name']}"


def _find_hider(registry: Any) -> str | None:
    """Return what an app calls around each of its views, and may skip them; None: nothing."""
    mapper = registry.queryUtility(IViewMapperFactory)
    if mapper is not None:
        return name_view(mapper)
    for entry in registry.introspector.get_category("view derivers") or ():
        deriver = entry["introspectable"]["deriver"]
        if code_of(deriver)[0] != "pyramid.viewderivers":
            return name_code(deriver)
    return None


def _find_reason(view: Any, hider: str | None) -> str | None:
    secured = _find_secured(view.get("derived_callable"))
    if secured is not None:
        permission, policy = secured["permission"], secured["policy"]
        if type(policy) is SecurityPolicy and find_override(policy, "permits") is None:
            return None
        return f"its permission {permission!r} is decided by {name_view(policy)}"
    decorator = view["decorator"]
    if is_checking_decorator(decorator):
        return hider and hide_below(hider)
    reason = find_reason(_find_callable(view))
    if reason is not None:
        return reason
    if decorator or view["mapper"]:
        return f"its check is below {name_code(decorator or view['mapper'])}, which may skip it"
    own_mapper = getattr(view["callable"], "__view_mapper__", None)
    hider = hider or (own_mapper and name_view(own_mapper)) or _find_maker(view)
    return hider and hide_below(hider)


def _find_secured(called: Any) -> Any:
    """Return the variables of the function that asks for a permission; None: none is known."""
    while code_of(called)[0].partition(".")[0] == "pyramid":
        around = closure_of(called)
        if code_of(called) == _SECURED:
            return closure_of(around["permitted"])
        called = around.get("view")
    return None


def _find_callable(view: Any) -> Any:
    """Return the function that Pyramid calls for a view."""
    called, attr = view["callable"], view["attr"]
    if inspect.isclass(called):
        return getattr(called, attr or "__call__", called)
    return getattr(called, attr) if attr else called


def _find_maker(view: Any) -> str | None:
    """Return what may give a view another method than its class has; None: nothing."""
    called, attr = view["callable"], view["attr"]
    if not inspect.isclass(called):
        return None
    if _only_assigns(called.__init__, attr or "__call__"):
        return find_maker(called, skip="__init__")
    return find_maker(called)


def _only_assigns(function: Any, method: str) -> bool:
    """Tell whether a function assigns attributes, none of them a method, and calls nothing."""
    if not inspect.isfunction(function):
        return False
    for step in dis.get_instructions(function):
        if step.opname == "STORE_ATTR":
            if step.argval in {method, "__class__", "__dict__"}:
                return False
        elif not step.opname.startswith(_PLAIN):
            return False
    return True

"""The views of a Pyramid app that no check stands before."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from pyramid.config.views import isexception
from pyramid.interfaces import ISecurityPolicy

from authmw.audit.unchecked import UncheckedRoute, find_reason, name_code, name_view
from authmw.decorators.checked import is_checking_decorator
from authmw.pyramid import SecurityPolicy


def find_unchecked(app: Any) -> Iterator[UncheckedRoute]:
    """Yield them; see `authmw.audit.routes.audit_routes`."""
    registry = app.registry
    policy = registry.queryUtility(ISecurityPolicy)
    introspector = registry.introspector
    for entry in introspector.get_category("views") or ():
        view = entry["introspectable"]
        if _answers_exceptions(view):
            continue
        reason = _find_reason(view, policy)
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


def _find_reason(view: Any, policy: object) -> str | None:
    permission = getattr(view.get("derived_callable"), "__permission__", None)
    if permission is not None:
        if type(policy) is SecurityPolicy:
            return None
        return f"its permission {permission!r} is decided by {name_view(policy)}"
    decorator = view["decorator"]
    if is_checking_decorator(decorator):
        return None
    reason = find_reason(_find_callable(view))
    if reason is None and (decorator or view["mapper"]):
        return f"its check is below {name_code(decorator or view['mapper'])}, which may skip it"
    return reason


def _find_callable(view: Any) -> Any:
    """Return the function that Pyramid calls for a view."""
    called, attr = view["callable"], view["attr"]
    if inspect.isclass(called):
        return getattr(called, attr or "__call__", called)
    return getattr(called, attr) if attr else called

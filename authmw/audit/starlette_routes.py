"""The routes of a Starlette or FastAPI app that no check stands before."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from authmw.audit.unchecked import (
    NO_CHECK,
    UncheckedRoute,
    code_of,
    find_reason,
    group,
    name_code,
    name_view,
    unwrap,
)
from authmw.decorators.checked import is_check

# What calls an endpoint, and nothing else, where no middleware of the route stands in front.
_CALLERS = {
    (module, f"{name}.<locals>.app")
    for module in ("starlette.routing", "fastapi.routing")
    for name in ("request_response", "websocket_session")
}
# They answer what is too large, and else call what they wrap.
_LIMITS = {"RequestBodyLimitMiddleware", "_BodyLimitExceptionMiddleware"}
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "query")


def find_unchecked(app: Starlette) -> Iterator[UncheckedRoute]:
    """Yield them; see `authmw.audit.routes.audit_routes`."""
    return _walk(app, "")


def _walk(app: Any, before: str) -> Iterator[UncheckedRoute]:
    inner = unwrap(app)
    if not isinstance(inner, Starlette | Router):
        yield UncheckedRoute(before or "/", (), name_view(inner), NO_CHECK)
        return
    router = inner.router if isinstance(inner, Starlette) else inner
    overrides = getattr(inner, "dependency_overrides", None) or {}
    for route in _list_routes(router):
        yield from _audit(route, before, overrides)
    if code_of(router.default) != ("starlette.routing", "Router.not_found"):
        yield UncheckedRoute(f"{before} default", (), name_view(router.default), NO_CHECK)


def _list_routes(router: Any) -> Iterator[Any]:
    """Yield the routes of a router, those of included routers with what the inclusion adds."""
    fastapi: Any = sys.modules.get("fastapi.routing")
    # Older versions copy the routes of a router that is included.
    resolve = getattr(fastapi, "iter_route_contexts", None)
    yield from router.routes if resolve is None else resolve(router.routes)
    yield from getattr(router, "_low_priority_routes", ())
    for route in router.routes:
        if hasattr(route, "effective_low_priority_routes"):
            yield from route.effective_low_priority_routes()


def _audit(route: Any, before: str, overrides: Mapping[Any, Any]) -> Iterator[UncheckedRoute]:
    # Of an included router's, what its routes were made of.
    kind = getattr(route, "original_route", route)
    if isinstance(kind, Mount):
        yield from _walk(kind._base_app, f"{before}{route.path}")
    elif isinstance(kind, Host):
        yield from _walk(route.app, f"{before}{kind.host}")
    elif isinstance(kind, Route | WebSocketRoute):
        yield from group(
            f"{before}{route.path}", kind.endpoint, _find_reasons(route, kind, overrides)
        )
    elif hasattr(kind, "dependant") and hasattr(kind, "routes"):  # FastAPI's frontend()
        if not _depends_on_check(route.dependant, overrides):
            prefix = f"{before}{getattr(route, 'frontend_prefix', '')}"
            for one in kind.routes:
                yield UncheckedRoute(f"{prefix}{one.path}", ("GET",), name_view(one.app), NO_CHECK)
    else:
        path = getattr(route, "path", None) or ""
        yield UncheckedRoute(f"{before}{path}", (), name_view(kind), NO_CHECK)


def _find_reasons(route: Any, kind: Any, overrides: Mapping[Any, Any]) -> dict[str, str | None]:
    """Return why a route is not checked, by method of HTTP; None: it is."""
    view = kind.endpoint
    if isinstance(view, type) and issubclass(view, HTTPEndpoint):
        reasons = _find_reasons_of_class(view)
        if kind.methods:
            reasons = {one: why for one, why in reasons.items() if one in kind.methods}
    elif isinstance(view, type) and issubclass(view, WebSocketEndpoint):
        # Called before all else.
        reasons = {"GET": _find_reason_of_method(view, WebSocketEndpoint, "on_connect")}
    else:
        dependant = getattr(route, "dependant", None)
        is_checked = dependant is not None and _depends_on_check(dependant, overrides)
        # The handshake of a websocket is a GET (RFC 6455 §4.1).
        methods = {"GET"} if isinstance(kind, WebSocketRoute) else route.methods or {"*"}
        # Starlette answers HEAD by the view of GET.
        methods = methods - {"HEAD"} if "GET" in methods else methods
        reasons = dict.fromkeys(methods, None if is_checked else find_reason(view))
    hider = _find_hider(route, kind, view)
    if hider is None:
        return reasons
    below = f"its check is below {hider}, which may answer without it"
    return {method: reason or below for method, reason in reasons.items()}


def _find_reasons_of_class(view: Any) -> dict[str, str | None]:
    names = [name for name in _METHODS if hasattr(view, name)]
    return {name.upper(): _find_reason_of_method(view, HTTPEndpoint, name) for name in names}


def _find_reason_of_method(view: Any, base: Any, name: str) -> str | None:
    for step in ("__await__", "dispatch"):
        own = getattr(view, step)
        if own is not getattr(base, step):
            reason = find_reason(own)
            return reason and f"{name_code(own)} answers it: {reason}"
    return find_reason(getattr(view, name))


def _find_hider(route: Any, kind: Any, view: Any) -> str | None:
    """Return what may answer before the checks of a route; None: nothing."""
    api: Any = getattr(sys.modules.get("fastapi.routing"), "APIRoute", None)
    if api is not None and isinstance(kind, api):
        make = type(kind).get_route_handler
        if make is not api.get_route_handler:
            return name_code(make)
    called = route.app
    while type(called).__name__ in _LIMITS:
        called = called.app
    while isinstance(view, functools.partial):
        view = view.func
    if called is view or code_of(called) in _CALLERS:
        return None
    return name_code(called)


def _depends_on_check(dependant: Any, overrides: Mapping[Any, Any]) -> bool:
    """Tell whether a check is among the dependencies, at any depth: FastAPI runs all of them."""
    dependencies: Iterable[Any] = dependant.dependencies
    for one in dependencies:
        if one.call in overrides:
            # What it depends on in turn is not known here.
            if is_check(overrides[one.call]):
                return True
        elif is_check(one.call) or _depends_on_check(one, overrides):
            return True
    return False

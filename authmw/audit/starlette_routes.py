"""The routes of a Starlette or FastAPI app that no check stands before."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from authmw.audit.unchecked import (
    NO_CHECK,
    UncheckedRoute,
    closure_of,
    code_of,
    find_maker,
    find_override,
    find_reason,
    group,
    hide_behind,
    hide_below,
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
# What solves the dependencies of a route before it calls the endpoint.
_SOLVERS = {
    ("fastapi.routing", "get_request_handler.<locals>.app"),
    ("fastapi.routing", "get_websocket_app.<locals>.app"),
}
# They answer what is too large, and else call what they wrap.
_LIMITS = {
    ("starlette.middleware.body_limit", "RequestBodyLimitMiddleware.__call__"),
    ("fastapi._body_limit", "_BodyLimitExceptionMiddleware.__call__"),
}
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "query")
# Older versions answer any method that has a function of its name.
_IS_OF_ANY_NAME = "_allowed_methods" not in HTTPEndpoint.dispatch.__code__.co_names


def find_unchecked(app: Starlette) -> Iterator[UncheckedRoute]:
    """Yield them; see `authmw.audit.routes.audit_routes`."""
    return _walk(app, "")


def _walk(app: Any, before: str) -> Iterator[UncheckedRoute]:
    inner = unwrap(app)
    if not isinstance(inner, Starlette | Router):
        yield UncheckedRoute(before or "/", (), name_view(inner), NO_CHECK)
        return
    router: Any = inner
    if isinstance(inner, Starlette):
        yield from _list_override(inner, before, type(inner), "__call__", "build_middleware_stack")
        router = inner.router
    yield from _audit_router(router, before)
    for route in _list_routes(router):
        yield from _audit(route, before)
    if code_of(router.default) != ("starlette.routing", "Router.not_found"):
        yield UncheckedRoute(f"{before} default", (), name_view(router.default), NO_CHECK)


def _audit_router(router: Any, before: str) -> Iterator[UncheckedRoute]:
    """Yield a router, and those that it includes, if their own code may answer for the routes."""
    yield from _list_override(router, before, type(router), "__call__", "app", "handle", "matches")
    # Older versions have none.
    stack = router.middleware_stack if hasattr(Router, "app") else None
    if stack is not None and not _leads_to(stack, router.app):
        yield UncheckedRoute(before or "/", (), name_view(router), hide_below(name_code(stack)))
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _audit_router(included, f"{before}{included.prefix}")


def _list_override(view: Any, path: str, thing: Any, *names: str) -> Iterator[UncheckedRoute]:
    hider = find_override(thing, *names)
    if hider is not None:
        yield UncheckedRoute(path or "/", (), name_view(view), hide_below(hider))


def _leads_to(app: Any, end: Any) -> bool:
    """Tell whether an app is another one, or that one below middleware."""
    while app is not end and not (isinstance(app, types.MethodType) and app == end):
        app = getattr(app, "app", None)
        if app is None:
            return False
    return True


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


def _audit(route: Any, before: str) -> Iterator[UncheckedRoute]:
    # Of an included router's, what its routes were made of.
    kind = getattr(route, "original_route", route)
    if isinstance(kind, Mount):
        path = f"{before}{route.path}"
        yield from _list_override(kind, path, kind, "handle")
        if not _leads_to(kind.app, kind._base_app):
            yield UncheckedRoute(path, (), name_view(kind.app), NO_CHECK)
        yield from _walk(kind._base_app, path)
    elif isinstance(kind, Host):
        yield from _list_override(kind, f"{before}{kind.host}", kind, "handle")
        yield from _walk(route.app, f"{before}{kind.host}")
    elif isinstance(kind, Route | WebSocketRoute):
        yield from group(f"{before}{route.path}", kind.endpoint, _find_reasons(route, kind))
    elif code_of(kind.handle) == ("fastapi.routing", "_FrontendRouteGroup.handle"):
        if not _depends_on_check(
            route.dependant, _find_overrides(route.dependency_overrides_provider)
        ):
            prefix = f"{before}{getattr(route, 'frontend_prefix', '')}"
            for one in kind.routes:
                yield UncheckedRoute(f"{prefix}{one.path}", ("GET",), name_view(one.app), NO_CHECK)
    else:
        path = getattr(route, "path", None) or ""
        yield UncheckedRoute(f"{before}{path}", (), name_view(kind), NO_CHECK)


def _find_reasons(route: Any, kind: Any) -> dict[str, str | None]:
    """Return why a route is not checked, by method of HTTP; None: it is."""
    view = kind.endpoint
    called = _find_called(route.app)
    hider = find_override(kind, "handle", "get_route_handler")
    if hider is None and called is not view and code_of(called) not in _SOLVERS:
        hider = name_code(called)
    if isinstance(view, type) and issubclass(view, HTTPEndpoint):
        reasons = _find_reasons_of_class(view, kind.methods)
    elif isinstance(view, type) and issubclass(view, WebSocketEndpoint):
        maker = find_maker(view)
        # Called before all else.
        reason = _find_reason_of_method(view, WebSocketEndpoint, "on_connect")
        reasons = {"GET": reason} if maker is None else hide_behind(maker)
    else:
        # The handshake of a websocket is a GET (RFC 6455 §4.1).
        methods = {"GET"} if isinstance(kind, WebSocketRoute) else route.methods or {"*"}
        # Starlette answers HEAD by the view of GET.
        methods = methods - {"HEAD"} if "GET" in methods else methods
        reasons = dict.fromkeys(methods, _find_reason(route, view, called, hider))
    if hider is None:
        return reasons
    return {method: reason or hide_below(hider) for method, reason in reasons.items()}


def _find_called(app: Any) -> Any:
    """Return what the app of a route calls, below what only prepares the call."""
    while code_of(type(app).__call__) in _LIMITS:
        app = app.app
    if code_of(app) not in _CALLERS:
        return app
    around = closure_of(app)
    called = around["f"] if "f" in around else around["func"]
    if isinstance(called, functools.partial) and called.func is run_in_threadpool:
        return called.args[0]
    return called


def _find_reason(route: Any, view: Any, called: Any, hider: str | None) -> str | None:
    """Return why a function is not checked, by the dependencies that are solved before it."""
    if code_of(called) in _SOLVERS:
        # Not the route's: they may be others since, and the overrides another app's.
        around = closure_of(called)
        dependant, provider = around["dependant"], around["dependency_overrides_provider"]
        if _depends_on_check(dependant, _find_overrides(provider)):
            return None
        return find_reason(dependant.call)
    reason = find_reason(view)
    dependant = getattr(route, "dependant", None)
    if reason is None or dependant is None or not _depends_on_check(dependant, {}):
        return reason
    return hide_below(hider or name_code(called))


def _find_overrides(provider: Any) -> Mapping[Any, Any]:
    return getattr(provider, "dependency_overrides", None) or {}


def _find_reasons_of_class(view: Any, methods: Any) -> dict[str, str | None]:
    maker = find_maker(view)
    if maker is not None:
        return hide_behind(maker)
    names = [name for name in _METHODS if hasattr(view, name)]
    if _IS_OF_ANY_NAME:
        own = set(dir(view)) - set(dir(HTTPEndpoint)) - set(names)
        names += [name for name in own if name.islower() and callable(getattr(view, name))]
    reasons = {name.upper(): _find_reason_of_method(view, HTTPEndpoint, name) for name in names}
    other = find_override(view, "method_not_allowed")
    if other is not None:
        reasons["*"] = f"{other} answers its other methods"
    if methods:
        reasons = {one: why for one, why in reasons.items() if one == "*" or one in methods}
    return reasons


def _find_reason_of_method(view: Any, base: Any, name: str) -> str | None:
    for step in ("__await__", "dispatch"):
        own = getattr(view, step)
        if own is not getattr(base, step):
            reason = find_reason(own)
            return reason and f"{name_code(own)} answers it: {reason}"
    return find_reason(getattr(view, name))


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

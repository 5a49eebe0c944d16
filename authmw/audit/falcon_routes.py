"""The routes, sinks and static routes of a Falcon app that no check stands before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import falcon
import falcon.asgi
import falcon.inspect

from authmw.audit.unchecked import (
    NO_CHECK,
    UncheckedRoute,
    closure_of,
    code_of,
    find_override,
    find_reason,
    group,
    hide_below,
    name_view,
)
from authmw.decorators.checked import is_check

_WEBSOCKET = "WEBSOCKET"
_BEFORE = ("falcon.hooks", "_wrap_with_before.<locals>.do_before")
_AFTER = ("falcon.hooks", "_wrap_with_after.<locals>.do_after")


def find_unchecked(app: falcon.App[Any, Any]) -> Iterator[UncheckedRoute]:
    """Yield them; see `authmw.audit.routes.audit_routes`.

    Raises:
        TypeError: the app has a router of its own.
    """
    hider = find_override(app, "_get_responder") or find_override(
        type(app), "__call__", "_handle_websocket"
    )
    hider = hider or find_override(app._router, "find")
    if hider is not None:
        yield UncheckedRoute("/", (), name_view(app), hide_below(hider))
    of_http = not _is_checked_by_middleware(app, "process_request")
    of_websockets = not _is_checked_by_middleware(app, "process_request_ws")
    roots = getattr(app._router, "_roots", None)
    if roots is None:
        raise TypeError("this app's router is not Falcon's: its routes can't be listed")
    of_resources = of_http and not _is_checked_by_middleware(app, "process_resource")
    of_sockets = of_websockets and not _is_checked_by_middleware(app, "process_resource_ws")
    yield from _walk(roots, lambda method: of_sockets if method == _WEBSOCKET else of_resources)
    # Of these Falcon knows no resource, and calls no process_resource.
    if of_http or (of_websockets and isinstance(app, falcon.asgi.App)):
        for _, sink, *_more in getattr(app, "_sinks", ()):
            reason = find_reason(sink)
            if reason is not None:
                yield UncheckedRoute("a sink", (), _name(sink), reason)
    if of_http:
        for static in falcon.inspect.inspect_static_routes(app):
            yield UncheckedRoute(static.prefix, ("GET",), static.directory, NO_CHECK)


def _is_checked_by_middleware(app: Any, method: str) -> bool:
    components = app._unprepared_middleware
    if isinstance(app, falcon.asgi.App):
        # An app of ASGI prefers the method of that name.
        components = [one for one in components if not hasattr(one, f"{method}_async")]
        if any(
            is_check(getattr(one, f"{method}_async", None)) for one in app._unprepared_middleware
        ):
            return True
    return any(is_check(getattr(one, method, None)) for one in components)


def _walk(nodes: Any, is_open: Callable[[str], bool]) -> Iterator[UncheckedRoute]:
    for node in nodes:
        if node.method_map:
            reasons = {
                method: _find_reason(responder)
                for method, responder in node.method_map.items()
                if is_open(method) and not _is_of_falcon(responder)
            }
            yield from group(node.uri_template, type(node.resource), reasons)
        yield from _walk(node.children, is_open)


def _is_of_falcon(responder: Any) -> bool:
    """Tell whether Falcon made it, for methods that a resource does not have."""
    return code_of(responder)[0] == "falcon.responders"


def _find_reason(responder: Any) -> str | None:
    while (code := code_of(responder)) in (_BEFORE, _AFTER):
        around = closure_of(responder)
        kind = "async" if "async_responder" in around else "sync"
        if code == _BEFORE and is_check(around[f"{kind}_action"]):
            return None
        responder = around[f"{kind}_responder"]
    return find_reason(responder)


def _name(sink: Any) -> str:
    return getattr(sink, "__qualname__", type(sink).__qualname__)

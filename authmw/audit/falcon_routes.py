"""The routes, sinks and static routes of a Falcon app that no check stands before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import falcon
import falcon.inspect

from authmw.audit.unchecked import NO_CHECK, UncheckedRoute, closure_of, code_of, find_reason, group
from authmw.decorators.checked import is_check

_BEFORE = ("falcon.hooks", "_wrap_with_before.<locals>.do_before")
_AFTER = ("falcon.hooks", "_wrap_with_after.<locals>.do_after")


def find_unchecked(app: falcon.App[Any, Any]) -> Iterator[UncheckedRoute]:
    """Yield them; see `authmw.audit.routes.audit_routes`.

    Raises:
        TypeError: the app has a router of its own.
    """
    if _is_checked_by_middleware(app, "process_request"):
        return
    roots = getattr(app._router, "_roots", None)
    if roots is None:
        raise TypeError("this app's router is not Falcon's: its routes can't be listed")
    if not _is_checked_by_middleware(app, "process_resource"):
        yield from _walk(roots)
    # Of these Falcon knows no resource, and calls no process_resource.
    for _, sink, *_more in getattr(app, "_sinks", ()):
        reason = find_reason(sink)
        if reason is not None:
            yield UncheckedRoute("a sink", (), _name(sink), reason)
    for static in falcon.inspect.inspect_static_routes(app):
        yield UncheckedRoute(static.prefix, ("GET",), static.directory, NO_CHECK)


def _is_checked_by_middleware(app: Any, method: str) -> bool:
    return any(
        is_check(getattr(component, method, None)) for component in app._unprepared_middleware
    )


def _walk(nodes: Any) -> Iterator[UncheckedRoute]:
    for node in nodes:
        if node.method_map:
            reasons = {
                method: _find_reason(responder)
                for method, responder in node.method_map.items()
                if not _is_of_falcon(responder)
            }
            yield from group(node.uri_template, type(node.resource), reasons)
        yield from _walk(node.children)


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

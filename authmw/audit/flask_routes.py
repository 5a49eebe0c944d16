"""The routes of a Flask app that no check stands before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask
from flask.views import MethodView

from authmw.audit.unchecked import (
    UncheckedRoute,
    closure_of,
    code_of,
    find_maker,
    find_override,
    find_reason,
    group,
    hide_behind,
    hide_below,
    name_view,
)
from authmw.decorators.checked import is_check

_OF_A_CLASS = ("flask.views", "View.as_view.<locals>.view")
# What an app calls in turn, down to the view.
_STEPS = (
    "__call__",
    "wsgi_app",
    "full_dispatch_request",
    "preprocess_request",
    "dispatch_request",
    "ensure_sync",
)


def find_unchecked(app: Flask) -> Iterator[UncheckedRoute]:
    """Yield them; see `authmw.audit.routes.audit_routes`."""
    # Of the class: what stands in front of the app's own wsgi_app is middleware.
    hider = find_override(type(app), *_STEPS)
    if hider is not None:
        yield UncheckedRoute("/", (), name_view(app), hide_below(hider))
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        if view is None or _is_checked_before(app, rule.endpoint):
            continue
        methods = set(rule.methods or ())
        if getattr(rule, "provide_automatic_options", False):
            methods.discard("OPTIONS")
        yield from group(rule.rule, view, _find_reasons(view, methods))


def _is_checked_before(app: Flask, endpoint: str) -> bool:
    """Tell whether a check runs before the views of the app, or of a blueprint around this one."""
    names: list[str | None] = [None]
    blueprint = endpoint.rpartition(".")[0]
    while blueprint:
        names.append(blueprint)
        blueprint = blueprint.rpartition(".")[0]
    return any(
        is_check(function)
        for name in names
        for functions in (app.before_request_funcs, app.url_value_preprocessors)
        for function in functions.get(name, ())
    )


def _find_reasons(view: Any, methods: set[str]) -> dict[str, str | None]:
    reason = find_reason(view)
    if code_of(view) != _OF_A_CLASS:
        return dict.fromkeys(_without_head(methods), reason)
    # Either one instance answers all requests, or each has its own.
    made = closure_of(view).get("self", view.view_class)
    maker = find_maker(made) if made is view.view_class else None
    if maker is not None:
        return hide_behind(maker)
    dispatch = made.dispatch_request
    if getattr(dispatch, "__func__", dispatch) is not MethodView.dispatch_request:
        return dict.fromkeys(_without_head(methods), find_reason(dispatch))
    return {
        method: find_reason(getattr(made, method.lower()))
        for method in methods
        if hasattr(made, method.lower())
    }


def _without_head(methods: set[str]) -> set[str]:
    # Flask answers HEAD by the view of GET.
    return methods - {"HEAD"} if "GET" in methods else methods

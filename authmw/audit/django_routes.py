"""The routes of a Django project that no check stands before."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import URLPattern, get_resolver
from django.views import View

from authmw.audit.admin_site import find_site, judge_site
from authmw.audit.unchecked import (
    UncheckedRoute,
    closure_of,
    code_of,
    find_maker,
    find_override,
    find_reason,
    group,
    hide_behind,
    name_code,
    name_view,
    peel,
)
from authmw.decorators.checked import is_check, is_checking_decorator

_LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
_AUTH_DECORATORS = "django.contrib.auth.decorators"
_TESTED = (_AUTH_DECORATORS, "user_passes_test.<locals>.decorator.<locals>._view_wrapper")
_AROUND_A_VIEW = "make_middleware_decorator.<locals>._make_decorator.<locals>._decorator.<locals>."
_OF_MIDDLEWARE = ("django.utils.decorators", f"{_AROUND_A_VIEW}_view_wrapper")
_STAFF = ("django.contrib.admin.views.decorators", "staff_member_required.<locals>.<lambda>")
_TESTING = (_AUTH_DECORATORS, "user_passes_test.<locals>.decorator")
_OF_A_CLASS = (
    ("django.views.generic.base", "View.as_view.<locals>.view"),
    ("rest_framework.viewsets", "ViewSetMixin.as_view.<locals>.view"),
)
_DECORATED_METHOD = ("django.utils.decorators", "_multi_decorate.<locals>._wrapper")


def find_unchecked(_handler: Any) -> Iterator[UncheckedRoute]:
    """Yield them; see `authmw.audit.routes.audit_routes`. The routes are those of the settings."""
    for path, view in _walk(get_resolver().url_patterns, "/"):
        if not _is_checked_by_middleware(view):
            yield from _audit(path, view)


def _walk(patterns: Any, before: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = f"{before}{pattern.pattern}"
        if isinstance(pattern, URLPattern):
            yield path, pattern.callback
        else:
            yield from _walk(pattern.url_patterns, path)


def _is_checked_by_middleware(view: Any) -> bool:
    # As that middleware reads it.
    return _LOGIN_REQUIRED in settings.MIDDLEWARE and getattr(view, "login_required", True)


def _audit(path: str, view: Any) -> Iterator[UncheckedRoute]:
    reason = _find_reason(view)
    if reason is None:
        return
    inner = _peel(view)
    if code_of(inner) not in _OF_A_CLASS:
        yield UncheckedRoute(path, (), name_view(view), reason)
        return
    around = closure_of(inner)
    view_class, arguments = around["cls"], around["initkwargs"]
    replaced = sorted(name for name in arguments if callable(getattr(view_class, name, None)))
    if replaced:
        reason = f"as_view() is handed another {replaced[0]}"
        yield UncheckedRoute(path, (), name_view(view_class), reason)
        return
    rest: Any = sys.modules.get("rest_framework.views")
    if rest is not None and issubclass(view_class, rest.APIView):
        from authmw.audit.rest_views import find_reasons

        reasons = find_reasons(view_class, arguments, around.get("actions"))
    else:
        reasons = _find_reasons(view_class, arguments)
    yield from group(path, view_class, reasons)


def _find_reason(view: Any) -> str | None:
    """Return why a view is not checked, Django's own decorators included; None: it is."""
    view = _peel(view)
    if code_of(view) == _TESTED:
        around = closure_of(view)
        # Where the test fails the view is not called either.
        return (
            None if _is_test_of_a_user(around["test_func"]) else _find_reason(around["view_func"])
        )
    site = find_site(view)
    if site is None:
        return find_reason(view)
    reason = judge_site(site)
    if reason is None or _find_reason(closure_of(view)["view"]) is None:
        return None
    return reason


def _peel(view: Any) -> Any:
    """Return a view without the wrappers that call it, or refuse the request: `csrf_protect`."""
    view = peel(view)
    while code_of(view) == _OF_MIDDLEWARE and _is_csrf_check(closure_of(view)):
        view = peel(closure_of(view)["view_func"])
    return view


def _is_csrf_check(around: Any) -> bool:
    if "middleware" not in around:
        around = closure_of(around["_pre_process_request"])
    # Not isinstance(): another class may answer by itself.
    return type(around["middleware"]) is CsrfViewMiddleware


def _is_test_of_a_user(test: Any) -> bool:
    # login_required and permission_required have theirs there.
    if code_of(test)[0] == _AUTH_DECORATORS:
        around = closure_of(test)
        return "perms" not in around or _is_asked_for(around["perms"])
    return code_of(test) == _STAFF or is_check(test)


def _is_asked_for(permissions: Any) -> bool:
    """Tell whether permissions are some: everybody has all of none."""
    return isinstance(permissions, str | list | tuple | set | frozenset) and bool(permissions)


def _find_reasons(view_class: Any, arguments: Mapping[str, Any]) -> dict[str, str | None]:
    """Return why a class-based view is not checked, by method; None: it is."""
    maker = find_maker(view_class)
    if maker is None:
        if find_method_reason(view_class.setup) is None:
            return {}
        maker = find_override(view_class, "setup")
    if maker is not None:
        return hide_behind(maker)
    dispatch = view_class.dispatch
    reason = find_method_reason(dispatch)
    if reason is None:
        return {}
    names = arguments.get("http_method_names", view_class.http_method_names)
    methods = [name for name in names if hasattr(view_class, name)]
    if dispatch is not View.dispatch:
        reason = _find_reason_of_mixin(view_class, arguments, reason)
        return {name.upper(): reason for name in methods}
    reasons = {
        name.upper(): find_method_reason(getattr(view_class, name))
        for name in methods
        if getattr(view_class, name) is not View.options
    }
    return {**reasons, **find_other_reasons(view_class)}


def find_other_reasons(view_class: Any) -> dict[str, str | None]:
    """Return why what answers the methods that a view does not have is not checked."""
    other = find_override(view_class, "http_method_not_allowed")
    if other is None or find_method_reason(view_class.http_method_not_allowed) is None:
        return {}
    return {"*": f"{other} answers its other methods"}


def find_method_reason(method: Any) -> str | None:
    """Return why a method of a view class is not checked; None: it is."""
    method = peel(method)
    if code_of(method) == _DECORATED_METHOD:
        around = closure_of(method)
        # The last one is applied last, and so runs first.
        if _is_checking_decorator(around["decorators"][-1]):
            return None
    return find_reason(method)


def _is_checking_decorator(decorator: Any) -> bool:
    if is_checking_decorator(decorator):
        return True
    if code_of(decorator) == _TESTING:
        return _is_test_of_a_user(closure_of(decorator)["test_func"])
    return code_of(decorator) == (_AUTH_DECORATORS, "login_required")


def _find_reason_of_mixin(view_class: Any, arguments: Mapping[str, Any], reason: str) -> str | None:
    """Return why a view whose `dispatch` is not that of `View` is not checked; None: it is."""
    dispatch = view_class.dispatch
    mixins: Any = sys.modules.get("django.contrib.auth.mixins")
    of_login = mixins is not None and dispatch is mixins.LoginRequiredMixin.dispatch
    if mixins is None or not (of_login or dispatch is mixins.PermissionRequiredMixin.dispatch):
        return f"{name_code(dispatch)} answers it: {reason}"
    of_permission = () if of_login else ("has_permission", "get_permission_required")
    decider = find_override(view_class, "handle_no_permission", *of_permission)
    if decider is not None:
        return f"{decider} decides on it"
    if of_login or is_check(view_class.has_permission):
        return None
    asked = arguments.get("permission_required", view_class.permission_required)
    return None if _is_asked_for(asked) else "its permission_required names none"

"""Why a view of Django REST framework is not checked, method by method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import permissions
from rest_framework.views import APIView

from authmw.audit.django_routes import find_method_reason, find_other_reasons
from authmw.audit.unchecked import NO_CHECK, find_maker, find_override, hide_behind, name_code
from authmw.decorators.checked import is_check
from authmw.django.rest import TokenPermission

# What REST framework calls in turn before the handler of a method.
_STEPS = ("initial", "check_permissions")
_OF_A_TOKEN = ("_meets", "_find_refusal", "_judge")
# Permissions that no request without a user has.
_OF_USERS = (permissions.IsAuthenticated, permissions.IsAdminUser)


def find_reasons(
    view_class: Any, arguments: Mapping[str, Any], actions: Mapping[str, str] | None
) -> dict[str, str | None]:
    """Return why a view is not checked, by method of HTTP; None: it is.

    Args:
        view_class: an `APIView`.
        arguments: of its `as_view`.
        actions: of a view set, the name of the handler by method; None: it is no view set.
    """
    # A view set has no setup().
    maker = find_maker(view_class, *(() if actions else ("setup",)))
    if maker is not None:
        return hide_behind(maker)
    handlers = _find_handlers(view_class, arguments, actions)
    if _runs_check(view_class):
        return {}
    if view_class.dispatch is not APIView.dispatch:
        return dict.fromkeys(handlers, f"{name_code(view_class.dispatch)} answers it")
    hidden = _find_hidden_permissions(view_class)
    listed = arguments.get("permission_classes", view_class.permission_classes)
    if not isinstance(listed, list | tuple):
        hidden, listed = "its permission_classes are no list", ()
    reasons = find_other_reasons(view_class)
    if hidden is None and any(_is_check(one, "GET") for one in listed):
        reasons = {}
    for method, handler in handlers.items():
        if hidden is None and any(_is_check(one, method) for one in listed):
            reasons[method] = None
            continue
        reason = find_method_reason(handler)
        reasons[method] = hidden if reason == NO_CHECK and hidden is not None else reason
    return reasons


def _find_handlers(
    view_class: Any, arguments: Mapping[str, Any], actions: Mapping[str, str] | None
) -> dict[str, Any]:
    names = arguments.get("http_method_names", view_class.http_method_names)
    # A view set may have more of them than its actions.
    actions = {**{name: name for name in names if hasattr(view_class, name)}, **(actions or {})}
    return {
        method.upper(): getattr(view_class, name)
        for method, name in actions.items()
        if getattr(view_class, name) is not APIView.options
        # Answered as GET, unless there is more to it.
        and not (method == "head" and name == actions.get("get"))
    }


def _runs_check(view_class: Any) -> bool:
    if find_method_reason(view_class.dispatch) is None:
        return True
    if view_class.dispatch is not APIView.dispatch:
        return False
    if find_method_reason(view_class.initial) is None:
        return True
    return view_class.initial is APIView.initial and is_check(view_class.check_permissions)


def _find_hidden_permissions(view_class: Any) -> str | None:
    """Return why `permission_classes` may not say what is checked; None: they do."""
    for name in (*_STEPS, "get_permissions", "permission_denied"):
        if getattr(view_class, name) is not getattr(APIView, name):
            return f"{name_code(getattr(view_class, name))} decides on its permissions"
    return None


def _is_check(permission: Any, method: str) -> bool:
    """Tell whether a permission is one that no request without an identity has."""
    if type(permission) is permissions.OperandHolder:
        ways = [_is_check(one, method) for one in (permission.op1_class, permission.op2_class)]
        if permission.operator_class is permissions.AND:
            return any(ways)
        return permission.operator_class is permissions.OR and all(ways)
    kind: Any = permission if isinstance(permission, type) else type(permission)
    if not issubclass(kind, permissions.BasePermission) or find_maker(kind) is not None:
        return False
    # Of an instance, what REST framework calls for another, and what has_permission() calls.
    if kind is not permission and find_override(permission, "__call__", *_OF_A_TOKEN) is not None:
        return False
    asks = getattr(permission.has_permission, "__func__", permission.has_permission)
    if is_check(asks) or asks is TokenPermission.has_permission:
        return True
    if asks is permissions.IsAuthenticatedOrReadOnly.has_permission:
        return method not in permissions.SAFE_METHODS
    if asks is permissions.DjangoModelPermissions.has_permission:
        return bool(kind.authenticated_users_only)
    return any(asks is one.has_permission for one in _OF_USERS)

"""Why a view of Django REST framework is not checked, method by method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import permissions
from rest_framework.views import APIView

from authmw.audit.django_routes import find_method_reason
from authmw.audit.unchecked import NO_CHECK, name_code
from authmw.decorators.checked import is_check
from authmw.django.rest import TokenPermission

# What REST framework calls in turn before the handler of a method.
_STEPS = ("initial", "check_permissions")
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
    handlers = _find_handlers(view_class, actions)
    if _runs_check(view_class):
        return {}
    if view_class.dispatch is not APIView.dispatch:
        return dict.fromkeys(handlers, f"{name_code(view_class.dispatch)} answers it")
    hidden = _find_hidden_permissions(view_class)
    listed = arguments.get("permission_classes", view_class.permission_classes)
    if not isinstance(listed, list | tuple):
        hidden, listed = "its permission_classes are no list", ()
    reasons: dict[str, str | None] = {}
    for method, handler in handlers.items():
        if hidden is None and any(_is_check(one, method) for one in listed):
            reasons[method] = None
            continue
        reason = find_method_reason(handler)
        reasons[method] = hidden if reason == NO_CHECK and hidden is not None else reason
    return reasons


def _find_handlers(view_class: Any, actions: Mapping[str, str] | None) -> dict[str, Any]:
    if actions is None:
        actions = {name: name for name in view_class.http_method_names if hasattr(view_class, name)}
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
    for name in (*_STEPS, "get_permissions"):
        if getattr(view_class, name) is not getattr(APIView, name):
            return f"{name_code(getattr(view_class, name))} decides on its permissions"
    return None


def _is_check(permission: Any, method: str) -> bool:
    """Tell whether a permission is one that no request without an identity has."""
    if isinstance(permission, permissions.OperandHolder):
        ways = [_is_check(one, method) for one in (permission.op1_class, permission.op2_class)]
        if permission.operator_class is permissions.AND:
            return any(ways)
        return permission.operator_class is permissions.OR and all(ways)
    kind: Any = permission if isinstance(permission, type) else type(permission)
    if not issubclass(kind, permissions.BasePermission):
        return False
    asks = kind.has_permission
    if is_check(asks) or asks is TokenPermission.has_permission:
        return True
    if asks is permissions.IsAuthenticatedOrReadOnly.has_permission:
        return method not in permissions.SAFE_METHODS
    if asks is permissions.DjangoModelPermissions.has_permission:
        return bool(kind.authenticated_users_only)
    return any(asks is one.has_permission for one in _OF_USERS)

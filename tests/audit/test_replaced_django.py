"""`authmw.audit_routes` of Django views that replace what would refuse, or call their methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import authmw
from tests.audit.test_django import audit, make_rest, paths
from tests.support.views import set_django_up

admins = authmw.require(roles="admin")


def anything(*_arguments: Any, **_named: Any) -> Any:
    return True


def swap(self: Any, *_arguments: Any, **_named: Any) -> None:
    self.get = anything


def derive(*bases: str, **members: Any) -> Any:
    """Return a view class of some bases, by name, with a handler that checks nothing."""
    set_django_up()
    from django.contrib.auth import mixins
    from django.views import View

    known = [getattr(mixins, name) if name != "View" else View for name in (*bases, "View")]
    return type("Own", tuple(known), {"get": anything, **members})


def audit_view(view: Any) -> dict[tuple[str, ...], str]:
    return {methods: reason for (_, methods), reason in audit(*paths(x=view)).items()}


LOGIN, PERMISSION = "LoginRequiredMixin", "PermissionRequiredMixin"
NONE_NAMED = "its permission_required names none"
CHECKED = {"get": admins(anything)}

# What makes a view, and the reason that it is listed for; None: it is not.
MIXINS: list[tuple[Callable[[], Any], str | None]] = [
    (lambda: derive(LOGIN), None),
    (lambda: derive(LOGIN, handle_no_permission=anything), "anything decides on it"),
    (lambda: derive(PERMISSION, permission_required="a.b"), None),
    (lambda: derive(PERMISSION, permission_required=("a.b",)), None),
    (lambda: derive(PERMISSION, permission_required=()), NONE_NAMED),
    (lambda: derive(PERMISSION, permission_required=property(anything)), NONE_NAMED),
    (
        lambda: derive(PERMISSION, permission_required="a.b", has_permission=anything),
        "anything decides on it",
    ),
    (lambda: derive(PERMISSION, has_permission=admins(anything)), None),
    (
        lambda: derive(PERMISSION, permission_required="a.b", get_permission_required=anything),
        "anything decides on it",
    ),
    (
        lambda: derive(PERMISSION, permission_required="a.b", handle_no_permission=anything),
        "anything decides on it",
    ),
    (lambda: derive(LOGIN, setup=swap), "swap may replace its methods"),
    (lambda: derive(LOGIN, __init__=swap), "swap may replace its methods"),
    (lambda: derive(LOGIN, setup=admins(anything)), None),
    (lambda: derive(**CHECKED), None),
    (lambda: derive(setup=swap, **CHECKED), "swap may replace its methods"),
    (lambda: derive(__init__=swap, **CHECKED), "swap may replace its methods"),
    (lambda: derive(__init__=swap, setup=admins(anything)), "swap may replace its methods"),
    (lambda: derive(__getattr__=anything, **CHECKED), "anything may replace its methods"),
    (
        lambda: derive(http_method_not_allowed=anything, **CHECKED),
        "anything answers its other methods",
    ),
    (lambda: derive(http_method_not_allowed=admins(anything), **CHECKED), None),
]


@pytest.mark.parametrize(("make", "reason"), MIXINS)
def test_view_class(make: Callable[[], Any], reason: str | None) -> None:
    found = audit_view(make().as_view())
    assert len(found) == (reason is not None)
    for listed in found.values():
        assert reason is not None
        assert listed.endswith(reason)


def test_permissions_may_be_none() -> None:
    set_django_up()
    from django.contrib.auth.decorators import permission_required

    empty: tuple[Any, ...] = ((), [])
    for none in empty:
        assert audit_view(permission_required(none)(anything))
    for some in ("a.b", ["a.b"]):
        assert audit_view(permission_required(some)(anything)) == {}
    view = derive(PERMISSION, permission_required="a.b")
    assert set(audit_view(view.as_view(permission_required=())).values()) == {NONE_NAMED}


def test_methods_may_be_those_of_as_view() -> None:
    names = ["get", "purge"]
    view = derive(purge=anything, **CHECKED)
    assert set(audit_view(view.as_view(http_method_names=names))) == {("PURGE",)}
    rest = make_rest(get=admins(anything), purge=anything)
    assert set(audit_view(rest.as_view(http_method_names=names))) == {("PURGE",)}


def token_permission(**members: Any) -> Any:
    set_django_up()
    from authmw.django.rest import HasRole

    return type("Own", (HasRole,), members)("admin")


def own_permission(**members: Any) -> Any:
    set_django_up()
    from rest_framework.permissions import IsAuthenticated

    return type("Own", (IsAuthenticated,), members)


def patched_permission() -> Any:
    permission = token_permission()
    permission.has_permission = anything
    return permission


def swap_permission(self: Any, *_arguments: Any) -> None:
    self.has_permission = anything


@pytest.mark.parametrize(
    ("make", "is_listed"),
    [
        (lambda: make_rest(own_permission()), False),
        (lambda: make_rest(own_permission(), permission_denied=anything), True),
        (lambda: make_rest(own_permission(), setup=swap), True),
        (lambda: make_rest(own_permission(), __init__=swap), True),
        (lambda: make_rest(own_permission(), http_method_not_allowed=anything), False),
        (
            lambda: make_rest(
                get=admins(anything), post=admins(anything), http_method_not_allowed=anything
            ),
            True,
        ),
        (lambda: make_rest(own_permission(__init__=swap_permission)), True),
        (lambda: make_rest(token_permission()), False),
        (lambda: make_rest(token_permission(_judge=anything)), True),
        (lambda: make_rest(token_permission(__call__=lambda _self: own_permission()())), True),
        (lambda: make_rest(patched_permission()), True),
    ],
)
def test_view_of_rest_framework(make: Callable[[], Any], *, is_listed: bool) -> None:
    assert bool(audit_view(make().as_view())) is is_listed


def test_view_set_answers_by_its_own_methods_too() -> None:
    set_django_up()
    from rest_framework.viewsets import ViewSet

    members = {"permission_classes": [], "list": admins(anything), "delete": anything}
    view: Any = type("Set", (ViewSet,), members)
    assert set(audit_view(view.as_view({"get": "list"}))) == {("DELETE",)}
    swapping: Any = type("Set", (ViewSet,), {**members, "__init__": swap})
    assert set(audit_view(swapping.as_view({"get": "list"}))) == {()}

"""`authmw.audit_routes` of Django projects, with Django REST framework."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import authmw
from tests.support.views import set_django_up

admins = authmw.require(roles="admin")


def audit(*patterns: Any, middleware: Any = ()) -> dict[tuple[str, tuple[str, ...]], str]:
    urls: Any = set_django_up()
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings
    from django.urls import clear_url_caches

    urls.urlpatterns = list(patterns)
    clear_url_caches()
    with override_settings(MIDDLEWARE=[]):
        app = WSGIHandler()
    with override_settings(MIDDLEWARE=list(middleware)):
        return {(one.path, one.methods): one.reason for one in authmw.audit_routes(app)}


def view(_request: Any, **_values: Any) -> Any:
    return None


def paths(**views: Any) -> list[Any]:
    set_django_up()
    from django.urls import path

    return [path(name, one) for name, one in views.items()]


def names(*patterns: Any, **more: Any) -> set[str]:
    return {path.removeprefix("/") for path, _ in audit(*patterns, **more)}


def test_function_views() -> None:
    set_django_up()
    from django.contrib.auth.decorators import (
        login_required,
        permission_required,
        user_passes_test,
    )
    from django.db import transaction
    from django.urls import include, path
    from django.views.decorators.cache import cache_page
    from django.views.decorators.csrf import csrf_exempt

    found = audit(
        *paths(
            checked=admins(view),
            exempt=csrf_exempt(admins(view)),
            atomic=transaction.atomic(admins(view)),
            login=login_required(view),
            permission=permission_required("items.add")(view),
            both=user_passes_test(lambda _user: True)(admins(view)),
            everyone=user_passes_test(lambda _user: True)(view),
            cached=cache_page(60)(admins(view)),
        ),
        path("open/<int:number>", view),
        path("part/", include([path("inner", view)])),
    )
    assert set(found) == {
        ("/everyone", ()),
        ("/cached", ()),
        ("/open/<int:number>", ()),
        ("/part/inner", ()),
    }
    assert "which may answer without it" in found["/cached", ()]


def test_middleware_that_requires_a_login() -> None:
    set_django_up()
    from django.contrib.auth.decorators import login_not_required

    patterns = paths(a=view, b=login_not_required(lambda _request: None))
    required = ("django.contrib.auth.middleware.LoginRequiredMiddleware",)
    assert names(*patterns, middleware=required) == {"b"}
    assert names(*patterns) == {"a", "b"}


def test_class_views() -> None:
    set_django_up()
    from django.contrib.auth.decorators import login_required
    from django.contrib.auth.mixins import LoginRequiredMixin, UserPassesTestMixin
    from django.utils.decorators import method_decorator
    from django.views import View

    class Items(View):  # type: ignore[misc]
        @admins
        def get(self, _request: Any) -> Any:
            return None

        def post(self, _request: Any) -> Any:
            return None

        @method_decorator(admins)  # type: ignore[untyped-decorator]
        def put(self, _request: Any) -> Any:
            return None

    class Redefined(Items):
        def get(self, _request: Any) -> Any:
            return None

    class Dispatched(Items):
        @admins
        def dispatch(self, request: Any, **more: Any) -> Any:
            return super().dispatch(request, **more)

    class Dispatching(Items):
        def dispatch(self, _request: Any, **_more: Any) -> Any:
            return None

    class SetUp(Items):
        @admins
        def setup(self, request: Any, **more: Any) -> None:
            super().setup(request, **more)

    class LoggedIn(LoginRequiredMixin, Items):  # type: ignore[misc]
        """Checked by the mixin."""

    class Tested(UserPassesTestMixin, Items):  # type: ignore[misc]
        def test_func(self) -> bool:
            return True

    decorated = method_decorator(admins, name="dispatch")(type("Decorated", (Items,), {}))
    logged_in = method_decorator(login_required, name="dispatch")(type("Logged", (Items,), {}))
    cached = method_decorator([lambda one: one, admins], name="dispatch")(
        type("Cached", (Items,), {})
    )
    found = audit(
        *paths(
            items=Items.as_view(),
            redefined=Redefined.as_view(),
            dispatched=Dispatched.as_view(),
            dispatching=Dispatching.as_view(),
            set_up=SetUp.as_view(),
            mixin=LoggedIn.as_view(),
            tested=Tested.as_view(),
            decorated=decorated.as_view(),
            logged_in=logged_in.as_view(),
            cached=cached.as_view(),
            around=admins(Items.as_view()),
            replaced=Dispatched.as_view(dispatch=lambda _request: None),
        )
    )
    assert set(found) == {
        ("/items", ("POST",)),
        ("/redefined", ("GET", "POST")),
        ("/dispatching", ("GET", "OPTIONS", "POST", "PUT")),
        ("/tested", ("GET", "OPTIONS", "POST", "PUT")),
        ("/cached", ("GET", "OPTIONS", "POST", "PUT")),
        ("/replaced", ()),
    }


def make_rest(*permissions: Any, **members: Any) -> Any:
    from rest_framework.views import APIView

    handlers = {"get": lambda *_: None, "post": lambda *_: None}
    namespace = {"permission_classes": list(permissions), **handlers, **members}
    return type("Items", (APIView,), namespace)


# What stands in permission_classes, and the methods that are not checked.
PERMISSIONS = {
    "": "GET POST",
    "AllowAny": "GET POST",
    "IsAuthenticated": "",
    "IsAdminUser": "",
    "DjangoModelPermissions": "",
    "DjangoModelPermissionsOrAnonReadOnly": "GET POST",
    "IsAuthenticatedOrReadOnly": "GET",
    "HasRole('admin')": "",
    "~HasRole('admin')": "",
    "AllowAny, InScope('project')": "",
    "AllowAny | HasRole('admin')": "GET POST",
    "HasRole('admin') | IsAuthenticated": "",
    "HasRole('admin') | IsAuthenticatedOrReadOnly": "GET",
    "HasRole('admin') & AllowAny": "",
    "~(HasRole('admin') & IsAuthenticated)": "GET POST",
    "~IsAuthenticated": "GET POST",
    "Unknown": "GET POST",
    "Unchecking": "GET POST",
    "Checked": "",
}


@pytest.mark.parametrize(("expression", "unchecked"), PERMISSIONS.items())
def test_permissions_of_rest_framework(expression: str, unchecked: str) -> None:
    set_django_up()
    from rest_framework import permissions

    from authmw.django import rest

    class Unknown(permissions.BasePermission):  # type: ignore[misc]
        def has_permission(self, _request: Any, _view: Any) -> bool:
            return True

    class Unchecking(permissions.IsAuthenticated):  # type: ignore[misc]
        def has_permission(self, _request: Any, _view: Any) -> bool:
            return True

    class Checked(permissions.BasePermission):  # type: ignore[misc]
        @admins
        def has_permission(self, _request: Any, _view: Any) -> bool:
            return True

    known = {**vars(permissions), **vars(rest), **locals()}
    listed = eval(f"[{expression}]", known)
    found = audit(*paths(x=make_rest(*listed).as_view()))
    assert {method for _, methods in found for method in methods} == set(unchecked.split())


def test_views_of_rest_framework() -> None:
    set_django_up()
    from rest_framework.decorators import action, api_view, permission_classes
    from rest_framework.permissions import AllowAny, IsAuthenticated
    from rest_framework.viewsets import ViewSet

    from authmw.django.rest import HasRole

    class Set(ViewSet):  # type: ignore[misc]
        permission_classes = (IsAuthenticated,)

        def list(self, _request: Any) -> Any:
            return None

        @action(detail=False, permission_classes=[AllowAny])  # type: ignore[untyped-decorator]
        @admins
        def checked(self, _request: Any) -> Any:
            return None

    def own(*_arguments: Any, **_named: Any) -> Any:
        return None

    checked = [IsAuthenticated]
    found = audit(
        *paths(
            listed=Set.as_view({"get": "list"}),
            opened=Set.as_view({"get": "list"}, permission_classes=[AllowAny]),
            extra=Set.as_view({"get": "checked"}, permission_classes=[AllowAny]),
            function=api_view(["GET"])(admins(lambda _request: None)),
            above=admins(api_view(["GET"])(lambda _request: None)),
            permitted=api_view(["GET"])(permission_classes([HasRole("a")])(lambda _request: None)),
            bare=api_view(["GET"])(lambda _request: None),
            initial=make_rest(initial=admins(own)).as_view(),
            check=make_rest(check_permissions=admins(own)).as_view(),
            replaced=make_rest(*checked).as_view(permission_classes=[AllowAny]),
            own_initial=make_rest(*checked, initial=own).as_view(),
            own_check=make_rest(*checked, check_permissions=own).as_view(),
            own_get=make_rest(*checked, get_permissions=own).as_view(),
            own_dispatch=make_rest(*checked, dispatch=own).as_view(),
            handlers=make_rest(get_permissions=own, get=admins(own), post=admins(own)).as_view(),
        )
    )
    expected = {"opened", "bare", "replaced", "own_initial", "own_check", "own_get", "own_dispatch"}
    assert {path.removeprefix("/") for path, _ in found} == expected
    (reason,) = {reason for (path, _), reason in found.items() if path == "/own_get"}
    assert reason.endswith("own decides on its permissions")


@pytest.fixture
def _admin() -> Iterator[None]:
    set_django_up()
    from django.conf import settings
    from django.test import override_settings

    apps = ["django.contrib.admin", "django.contrib.sessions", "django.contrib.messages"]
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, *apps]):
        yield


def make_site(**members: Any) -> Any:
    """Return a site of its own class, with the pages of users and one of its own."""
    from django.contrib.admin import AdminSite, ModelAdmin
    from django.contrib.auth.admin import UserAdmin
    from django.contrib.auth.models import Group, User
    from django.urls import path

    def get_urls(self: Any) -> Any:
        own = [path("own", self.admin_view(view)), path("bare", view)]
        return [*own, *AdminSite.get_urls(self)]

    site = type("Site", (AdminSite,), {"get_urls": get_urls, **members})()
    site.register(User, UserAdmin)
    site.register(Group, ModelAdmin)
    return site


@pytest.mark.usefixtures("_admin")
def test_admin_site_lets_none_but_its_staff_in() -> None:
    from django.contrib import admin
    from django.contrib.admin.views.decorators import staff_member_required
    from django.urls import path

    site = make_site()
    assert len(site.get_urls()) > 9
    found = names(
        path("default/", admin.site.urls),
        path("own/", site.urls),
        path("staff", staff_member_required(view)),
    )
    assert found == {"default/login/", "own/login/", "own/bare"}


@pytest.mark.usefixtures("_admin")
def test_admin_site_that_decides_by_itself_is_listed() -> None:
    from django.contrib.admin import AdminSite
    from django.urls import path

    def let_in(*_arguments: Any) -> bool:
        return True

    def unguarded(_self: Any, wrapped: Any, *_more: Any) -> Any:
        return wrapped

    patched = make_site()
    patched.has_permission = let_in
    for members, reason in (
        ({"has_permission": let_in}, "let_in decides on it"),
        ({"admin_view": unguarded}, "unguarded decides on it"),
        (patched, "let_in decides on it"),
    ):
        site = make_site(**members) if isinstance(members, dict) else members
        found = audit(path("", site.urls))
        assert {"/", "/logout/", "/auth/user/", "/auth/user/add/"} <= {one for one, _ in found}
        assert reason in found["/auth/user/", ()]
    checked = make_site(has_permission=admins(let_in))
    assert names(path("", checked.urls)) == {"login/", "bare"}

    class Checked(AdminSite):  # type: ignore[misc]
        def has_permission(self, _request: Any) -> bool:
            return True

        index = admins(AdminSite.index)

    found = audit(path("", Checked().urls))
    assert ("/", ()) not in found
    assert ("/logout/", ()) in found


@pytest.mark.usefixtures("_admin")
def test_copied_marks_of_the_admin_site_are_no_check() -> None:
    import functools

    from django.contrib import admin
    from django.urls import path

    guarded = admin.site.admin_view(view)
    assert names(path("", guarded)) == set()

    @functools.wraps(guarded)
    def answering(_request: Any) -> Any:
        return None

    answering.admin_site = admin.site  # type: ignore[attr-defined]
    assert names(path("x", answering)) == {"x"}


def test_csrf_check_in_front_is_no_answer() -> None:
    set_django_up()
    from django.contrib.auth.decorators import login_required
    from django.utils.decorators import decorator_from_middleware
    from django.views.decorators.cache import never_cache
    from django.views.decorators.csrf import csrf_protect

    class Answering:
        def __init__(self, _get_response: Any) -> None:
            self.process_request = lambda _request: object()

    views = paths(
        csrf=csrf_protect(never_cache(admins(view))),
        login=csrf_protect(login_required(view)),
        open=csrf_protect(view),
        answering=decorator_from_middleware(Answering)(admins(view)),
    )
    assert names(*views) == {"open", "answering"}

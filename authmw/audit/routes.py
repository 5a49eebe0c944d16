"""`audit_routes`: lists the routes of an app that no check stands before."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from authmw.audit.unchecked import UncheckedRoute, unwrap

# The class of each framework's apps, and the module that audits them.
_FRAMEWORKS = (
    ("flask", "Flask", "flask_routes"),
    ("django.core.handlers.base", "BaseHandler", "django_routes"),
    ("falcon", "App", "falcon_routes"),
    ("pyramid.router", "Router", "pyramid_routes"),
    ("starlette.applications", "Starlette", "starlette_routes"),
)


def audit_routes(app: Any) -> list[UncheckedRoute]:
    """Return the routes of an app that no check is known to stand before, sorted by path.

        def test_every_route_asks_for_something():
            assert {route.path for route in authmw.audit_routes(app)} == {"/healthcheck"}

    A check is `authmw.require` as the outermost decorator of a view, of a method of a view class,
    or of a hook that the framework calls before each view of an app or blueprint; `require_for` of
    the Flask extension; for Django `login_required`, `permission_required` and their mixins and
    middleware; for Django REST framework the permissions of `authmw.django.rest` and those of REST
    framework that nobody has; for Pyramid a permission, with the policy of `authmw.pyramid`; for
    FastAPI a dependency on `authmw.asgi.require_token(...)`, on `authmw.current_token` or on what
    `authmw.require` decorates, of a route, a router or the app.

    A middleware in front is no check, as it lets every valid token pass. Nor is what can't be seen
    from outside: `authmw.check` in the middle of a view, decorators that may answer by themselves,
    a class with its own code in place of the framework's that checks, or calls the view, and apps
    mounted within the app, but for those of Starlette and FastAPI within one another.
    Nothing is called but what builds the routes.

    Args:
        app: of Flask, Django (`get_wsgi_application()`), Falcon, Pyramid (`make_wsgi_app()`),
            Starlette or FastAPI, or such an app behind `authmw.protect` or `AuthMiddleware`.

    Raises:
        TypeError: it is none of these.
    """
    inner = unwrap(app)
    for module, name, auditor in _FRAMEWORKS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(inner, kind):
            audit: Callable[[Any], Iterable[UncheckedRoute]]
            audit = import_module(f"authmw.audit.{auditor}").find_unchecked
            return sorted(audit(inner))
    raise TypeError(
        f"a {type(inner).__module__}.{type(inner).__qualname__} is no app of Flask, Django, Falcon,"
        " Pyramid, Starlette or FastAPI: hand audit_routes the app itself"
    )

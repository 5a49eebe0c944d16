"""authmw for Django and Django REST framework: a middleware configured by settings.

    INSTALLED_APPS = [..., "authmw.django"]           # checks of `manage.py check`
    MIDDLEWARE = [..., "authmw.django.AuthMiddleware"]
    AUTHMW = "/etc/inventory.conf"                    # or a dict: the arguments of authmw.protect

`authmw.django.rest` is for Django REST framework. Names are loaded at first use: Django imports
this package before its settings are complete.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from authmw.django.middleware import AuthMiddleware
    from authmw.django.user import TokenUser

__all__ = ["AuthMiddleware", "TokenUser"]

_HOMES = {"AuthMiddleware": "middleware", "TokenUser": "user"}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""WSGI authentication middleware that speaks the contract of OpenStack services.

Public names are loaded at first use, so that `import authmw` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from authmw.errors import (
        AuthmwError,
        ConfigurationError,
        IdentityUnavailable,
        InvalidToken,
        Reason,
    )
    from authmw.middleware import AuthMiddleware, app_factory, filter_factory
    from authmw.token import Token

__version__ = "0.1.0"

_HOMES = {
    "AuthMiddleware": "authmw.middleware",
    "AuthmwError": "authmw.errors",
    "ConfigurationError": "authmw.errors",
    "IdentityUnavailable": "authmw.errors",
    "InvalidToken": "authmw.errors",
    "Reason": "authmw.errors",
    "Token": "authmw.token",
    "app_factory": "authmw.middleware",
    "filter_factory": "authmw.middleware",
}

__all__ = [
    "AuthMiddleware",
    "AuthmwError",
    "ConfigurationError",
    "IdentityUnavailable",
    "InvalidToken",
    "Reason",
    "Token",
    "app_factory",
    "filter_factory",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value

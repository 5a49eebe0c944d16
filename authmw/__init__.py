"""WSGI and ASGI authentication middleware that speaks the contract of OpenStack services.

Public names are loaded at first use, so that `import authmw` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from authmw.audit.routes import audit_routes
    from authmw.config.options import list_opts
    from authmw.decorators.check import check, current_token
    from authmw.decorators.current import current
    from authmw.decorators.protect import protect
    from authmw.decorators.require import require
    from authmw.errors import (
        AuthmwError,
        ConfigurationError,
        IdentityUnavailable,
        InvalidToken,
        Reason,
        Refusal,
        Refused,
    )
    from authmw.middleware import AuthMiddleware, AuthProtocol, app_factory, filter_factory
    from authmw.readiness import Health, health
    from authmw.token import (
        DomainScope,
        ProjectScope,
        Role,
        SystemScope,
        Token,
        Unscoped,
        User,
    )

__version__ = "0.1.0"

_HOMES = {
    "AuthMiddleware": "authmw.middleware",
    "AuthProtocol": "authmw.middleware",
    "AuthmwError": "authmw.errors",
    "ConfigurationError": "authmw.errors",
    "DomainScope": "authmw.token",
    "Health": "authmw.readiness",
    "IdentityUnavailable": "authmw.errors",
    "InvalidToken": "authmw.errors",
    "ProjectScope": "authmw.token",
    "Reason": "authmw.errors",
    "Refusal": "authmw.errors",
    "Refused": "authmw.errors",
    "Role": "authmw.token",
    "SystemScope": "authmw.token",
    "Token": "authmw.token",
    "Unscoped": "authmw.token",
    "User": "authmw.token",
    "app_factory": "authmw.middleware",
    "audit_routes": "authmw.audit.routes",
    "check": "authmw.decorators.check",
    "current": "authmw.decorators.current",
    "current_token": "authmw.decorators.check",
    "filter_factory": "authmw.middleware",
    "health": "authmw.readiness",
    "list_opts": "authmw.config.options",
    "protect": "authmw.decorators.protect",
    "require": "authmw.decorators.require",
}

__all__ = [
    "AuthMiddleware",
    "AuthProtocol",
    "AuthmwError",
    "ConfigurationError",
    "DomainScope",
    "Health",
    "IdentityUnavailable",
    "InvalidToken",
    "ProjectScope",
    "Reason",
    "Refusal",
    "Refused",
    "Role",
    "SystemScope",
    "Token",
    "Unscoped",
    "User",
    "app_factory",
    "audit_routes",
    "check",
    "current",
    "current_token",
    "filter_factory",
    "health",
    "list_opts",
    "protect",
    "require",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""System checks (`manage.py check`): what is wrong with the settings that concern authmw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from authmw.config.findings import Finding
from authmw.config.slips import find_nearest
from authmw.django.conf import read_configuration, read_permissions
from authmw.errors import ConfigurationError

_AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
_OURS = "authmw.django.AuthMiddleware"
_HINT = (
    f'Add "{_OURS}" to MIDDLEWARE, after AuthenticationMiddleware if that is there. Where wsgi.py'
    " has authmw.protect in front, silence this check."
)
# How alike a misspelt path is; see `find_nearest`. Django's own are less so.
_ALIKE = 0.8


def check_settings(
    app_configs: Sequence[Any] | None = None,  # noqa: ARG001
    **_named: Any,
) -> list[CheckMessage]:
    """Return what is wrong with AUTHMW, AUTHMW_PERMISSIONS, MIDDLEWARE and REST_FRAMEWORK."""
    return [
        *_check_configuration(),
        *_check_permissions(),
        *_check_middleware(),
        *_check_rest_framework(),
    ]


def _check_configuration() -> Iterator[CheckMessage]:
    try:
        findings = read_configuration().find_faults()
    except ConfigurationError as error:
        findings = [Finding.of_error(error)]
    for finding in findings:
        if finding.level == "fail":
            yield Error(f"{finding}.", obj="AUTHMW", id="authmw.E001")
        else:
            yield checks.Warning(f"{finding}.", obj="AUTHMW", id="authmw.W001")


def _check_permissions() -> Iterator[CheckMessage]:
    try:
        read_permissions()
    except ConfigurationError as error:
        yield Error(str(error), hint=error.fix, obj="AUTHMW_PERMISSIONS", id="authmw.E002")


def _check_middleware() -> Iterator[CheckMessage]:
    from authmw.django.middleware import AuthMiddleware

    ours = authentication = None
    for number, path in enumerate(settings.MIDDLEWARE):
        if path == _AUTHENTICATION:
            authentication = number
        elif _is_ours(path, AuthMiddleware):
            if ours is not None:
                yield Error(
                    f"{path} is in MIDDLEWARE twice, so that each token is validated twice.",
                    hint="Leave one of them out.",
                    obj="MIDDLEWARE",
                    id="authmw.E004",
                )
            ours = number
    if ours is None:
        slip = _find_slip(settings.MIDDLEWARE)
        hint = f'Write "{_OURS}" in MIDDLEWARE in place of "{slip}".' if slip else _HINT
        yield Error(
            "authmw.django is in INSTALLED_APPS, and its middleware is not in MIDDLEWARE:"
            " request.user is never the user of a token, and identity headers that clients make"
            " up reach the views.",
            hint=hint,
            obj="MIDDLEWARE",
            id="authmw.E003",
        )
    elif authentication is not None and authentication > ours:
        yield Error(
            "AuthenticationMiddleware comes after authmw.django.AuthMiddleware, whose request.user"
            " it replaces.",
            hint="Move authmw.django.AuthMiddleware behind it.",
            obj="MIDDLEWARE",
            id="authmw.E005",
        )


def _find_slip(paths: Sequence[object]) -> str | None:
    """Return what was meant to be our middleware; None: nothing was."""
    names = [path for path in paths if isinstance(path, str)]
    of_authmw = [name for name in names if name.startswith("authmw.")]
    return of_authmw[0] if of_authmw else find_nearest(_OURS, names, _ALIKE)


def _is_ours(path: object, middleware: type[Any]) -> bool:
    if not isinstance(path, str):
        return False
    try:
        found = import_string(path)
    except ImportError:  # Django says so when it loads the middleware
        return False
    return isinstance(found, type) and issubclass(found, middleware)


def _check_rest_framework() -> Iterator[CheckMessage]:
    if not apps.is_installed("rest_framework"):
        return
    from rest_framework.settings import api_settings

    from authmw.django.rest import TokenAuthentication

    classes = list(api_settings.DEFAULT_AUTHENTICATION_CLASSES)
    if not classes or not issubclass(classes[0], TokenAuthentication):
        is_later = any(issubclass(one, TokenAuthentication) for one in classes)
        what = "asks other authentication classes before" if is_later else "does not ask"
        yield checks.Warning(
            f"REST framework {what} authmw.django.rest.TokenAuthentication: views answer 403 where"
            " 401 is meant, or don't see the user of a token.",
            hint='Begin REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] with'
            ' "authmw.django.rest.TokenAuthentication".',
            obj="REST_FRAMEWORK",
            id="authmw.W006",
        )

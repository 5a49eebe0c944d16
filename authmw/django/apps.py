"""The Django app: it has no models and registers the system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class AuthmwConfig(AppConfig):  # type: ignore[misc]
    """Registers the checks of `authmw.django.checks`."""

    name = "authmw.django"
    label = "authmw"
    verbose_name = "authmw"

    def ready(self) -> None:
        from authmw.django.checks import check_settings

        checks.register(check_settings, checks.Tags.security)

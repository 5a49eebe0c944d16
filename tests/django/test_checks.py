"""`manage.py check`: what is wrong with a project's settings, by name."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.testing import IdentityServer
from tests.support.entries import DJANGO_WITH_SESSIONS
from tests.support.views import set_django_up

DJANGO_S = ["django.contrib.contenttypes", "django.contrib.auth"]
OURS = "authmw.django.AuthMiddleware"


@pytest.fixture
def check(server: IdentityServer) -> Any:
    """Return the ids and messages of what is wrong with settings."""
    urls: Any = set_django_up()
    urls.urlpatterns = []
    from django.core.checks import run_checks
    from django.test import override_settings

    def run(**settings: Any) -> dict[str, str]:
        chosen = {
            "INSTALLED_APPS": [
                "django.contrib.contenttypes",
                "django.contrib.auth",
                "authmw.django",
            ],
            "AUTHMW": server.service_credentials,
            "MIDDLEWARE": list(DJANGO_WITH_SESSIONS),
            **settings,
        }
        with override_settings(**chosen):
            found = run_checks()
        return {one.id: f"{one.msg} {one.hint}" for one in found if one.id.startswith("authmw.")}

    return run


def test_nothing_is_wrong_with_a_good_project(check: Any) -> None:
    assert check() == {}
    assert check(MIDDLEWARE=[OURS]) == {}
    assert check(MIDDLEWARE=["authmw.django.middleware.AuthMiddleware"]) == {}


@pytest.mark.parametrize(
    ("settings", "identifier", "message"),
    [
        ({"AUTHMW": None}, "authmw.E001", "AUTHMW is not set: name a configuration file"),
        ({"AUTHMW": {}}, "authmw.E001", "no auth_type"),
        ({"AUTHMW": "/nowhere.conf"}, "authmw.E001", "config_file = '/nowhere.conf'"),
        ({"AUTHMW_PERMISSIONS": {"a.b": {"role": "x"}}}, "authmw.E002", "'role' is no argument"),
        ({"MIDDLEWARE": []}, "authmw.E003", "the user of a token"),
        ({"MIDDLEWARE": [OURS, OURS]}, "authmw.E004", "twice"),
        (
            {"MIDDLEWARE": [OURS, *DJANGO_WITH_SESSIONS[:-1]]},
            "authmw.E005",
            "Move authmw.django.AuthMiddleware behind it",
        ),
    ],
)
def test_each_mistake_is_named(check: Any, settings: Any, identifier: str, message: str) -> None:
    found = check(**settings)
    assert list(found) == [identifier]
    assert message in found[identifier]


@pytest.mark.parametrize(
    "slip",
    [
        "authmw.django.AuthMiddelware",
        "authmw.AuthMiddleware",
        "authwm.django.AuthMiddleware",
        "authmw.django.TokenUser",
    ],
)
def test_misspelt_middleware_is_quoted(check: Any, slip: str) -> None:
    found = check(MIDDLEWARE=[*DJANGO_WITH_SESSIONS[:-1], slip])
    assert list(found) == ["authmw.E003"]
    assert f'Write "{OURS}" in MIDDLEWARE in place of "{slip}".' in found["authmw.E003"]


def test_django_s_middleware_is_no_misspelt_one_of_ours(check: Any) -> None:
    found = check(MIDDLEWARE=list(DJANGO_WITH_SESSIONS[:-1]))
    assert f'Add "{OURS}" to MIDDLEWARE' in found["authmw.E003"]


def test_misspelt_option_is_named(check: Any, server: IdentityServer) -> None:
    found = check(AUTHMW={**server.service_credentials, "token_cache_tmie": "5"})
    assert list(found) == ["authmw.W001"]
    assert "token_cache_time" in found["authmw.W001"]


def test_rest_framework_asks_us_first(check: Any) -> None:
    apps = [*DJANGO_S, "rest_framework", "authmw.django"]
    ours = "authmw.django.rest.TokenAuthentication"
    sessions = "rest_framework.authentication.SessionAuthentication"
    later, absent = "asks other authentication classes before", "does not ask"
    for classes, message in (([], absent), ([sessions], absent), ([sessions, ours], later)):
        rest = {"DEFAULT_AUTHENTICATION_CLASSES": classes}
        found = check(INSTALLED_APPS=apps, REST_FRAMEWORK=rest)
        assert list(found) == ["authmw.W006"]
        assert f"{message} authmw.django.rest.TokenAuthentication" in found["authmw.W006"]
    rest = {"DEFAULT_AUTHENTICATION_CLASSES": [ours, sessions]}
    assert check(INSTALLED_APPS=apps, REST_FRAMEWORK=rest) == {}

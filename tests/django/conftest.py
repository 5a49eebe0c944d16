"""Django in this process, with a database in memory and one local user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from authmw.build.parts import find_live_parts
from authmw.testing import IdentityServer
from tests.support.django_database import database
from tests.support.entries import DJANGO_WITH_SESSIONS
from tests.support.views import set_django_up

__all__ = ["database"]


@pytest.fixture(autouse=True)
def _close_filters() -> Iterator[None]:
    """Close what a test built: Django keeps some handlers, and pages about faults, for longer."""
    others = find_live_parts()
    yield
    for parts in find_live_parts():
        if parts not in others:
            parts.close()


Serve = Callable[..., Any]


@pytest.fixture
def serve(server: IdentityServer, database: Any) -> Iterator[Serve]:
    """Return a client of a project with one view at `/`; keyword arguments are options."""
    from django.test import Client, override_settings
    from django.urls import clear_url_caches, path

    urls: Any = set_django_up()
    with ExitStack() as stack:

        def make(
            view: Any,
            *more: Any,
            middleware: Any = DJANGO_WITH_SESSIONS,
            settings: Any = None,
            enforce_csrf_checks: bool = True,
            **options: Any,
        ) -> Any:
            urls.urlpatterns = [path("", view), *more]
            clear_url_caches()
            chosen = {
                "AUTHMW": {**server.service_credentials, **options},
                "MIDDLEWARE": list(middleware),
                **(settings or {}),
            }
            stack.enter_context(override_settings(**chosen))
            return Client(enforce_csrf_checks=enforce_csrf_checks)

        yield make


@pytest.fixture
def log_in(database: Any) -> Callable[[Any], None]:
    """Give a client the session of the local user."""

    def give(client: Any) -> None:
        client.force_login(database)

    return give

"""The database of the Django project that tests run in their process; a fixture."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.support.views import set_django_up

PASSWORD = "secret of the local user"


@pytest.fixture(scope="session")
def database() -> Any:
    """Tables of Django's own apps, and a user `local`."""
    return _make()


# Each module that imports the fixture has one of its own, and a process has one database.
@functools.cache
def _make() -> Any:
    set_django_up()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)
    return User.objects.create_user("local", password=PASSWORD)

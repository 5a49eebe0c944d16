from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.issuers.canaille_server import CanailleServer
from tests.support.issuers.django_toolkit import DjangoToolkit
from tests.support.issuers.oidc_provider import OidcProvider

_INSTALLED_FOR_SLOW_TESTS = {"oidc_provider", "canaille"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests slow that need servers which `make test-slow` installs."""
    for item in items:
        if not _INSTALLED_FOR_SLOW_TESTS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    with OidcProvider(tmp_path_factory.mktemp("oidc-provider") / "log") as server:
        yield server


@pytest.fixture(scope="package")
def django_toolkit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoToolkit]:
    with DjangoToolkit(tmp_path_factory.mktemp("django-toolkit")) as server:
        yield server


@pytest.fixture(scope="package")
def canaille(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanailleServer]:
    with CanailleServer(tmp_path_factory.mktemp("canaille")) as server:
        yield server

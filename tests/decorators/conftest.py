"""An identity server, and requests to whatever app a test decorates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from webtest import TestApp

from authmw.testing import IdentityServer


@pytest.fixture
def server() -> Iterator[IdentityServer]:
    with IdentityServer() as running:
        yield running


def get(app: Any, token: str | None = None, path: str = "/", **headers: str) -> Any:
    """Send a GET; any status is fine."""
    if token is not None:
        headers["X-Auth-Token"] = token
    return TestApp(app).get(path, headers=headers, status="*")

"""The time of the site whose processes share revocation events."""

from __future__ import annotations

import pytest

from tests.support.clock import Clock
from tests.support.token_bodies import ISSUED_AT


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still at the moment when the tests' tokens were issued."""
    return Clock(float(ISSUED_AT))
